import { compare } from "./compare.ts";
import type { MatmulShape } from "./implementations/implementation.ts";
import type { VersusRow } from "./row.ts";
import { closeAll, openAll, sidesOf } from "./stage.ts";
import type { Run } from "./work.ts";

const SHAPES: readonly MatmulShape[] = [256, 512, 1024].map((n) => [n, n, n]);

/** SwiftShader takes seconds for some peers' products. */
const BUDGET_MS = 60_000;
/** Sums of 1024 products of factors below one half. */
const TOLERANCE = 1e-4;

/** f32 products of matrices that stay on the device. */
export async function* benchmarkMatmul(run: Run): AsyncGenerator<VersusRow> {
  const stage = await run.stage();
  const sides = await openAll<MatmulShape>(stage, sidesOf("matmul", stage, run.threads));
  try {
    for (const shape of SHAPES) {
      const [m, k, n] = shape;
      yield await compare(
        sides,
        { work: "matmul", shape, shapeText: `${m} × ${k} × ${n} f32`, backend: "webgpu", adapter: stage.adapter, software: stage.software, unit: "GFLOP/s", tolerance: TOLERANCE, rate: (ms) => (2 * m * k * n) / ms / 1e6 },
        { rounds: run.rounds, budgetMs: BUDGET_MS },
      );
    }
  } finally {
    await closeAll(sides);
  }
}
