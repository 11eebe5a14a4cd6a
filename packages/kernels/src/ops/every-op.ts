// The tests of all ops, for files that run them somewhere else.
import "./activation/op.test.ts";
import "./attention/op.test.ts";
import "./attention/operands.test.ts";
import "./crossentropy/op.test.ts";
import "./dropout/op.test.ts";
import "./embedding/op.test.ts";
import "./half/op.test.ts";
import "./layernorm/op.test.ts";
import "./losses/op.test.ts";
import "./matmul/op.test.ts";
import "./movement/movement.test.ts";
import "./optimizer/many.test.ts";
import "./optimizer/optimizer.test.ts";
import "./quantizedmatmul/op.test.ts";
import "./random-shapes.test.ts";
import "./softmax/op.test.ts";
import "./topk/op.test.ts";
