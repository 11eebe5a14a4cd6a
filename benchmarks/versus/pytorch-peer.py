"""PyTorch's side of `npm run bench:versus`: requests are lines of JSON on stdin, answers are lines of JSON on stdout.

It knows one work at a time, an encoder's forward pass or a whole training step, and does it when told to.
"""

import json
import os
import sys
import time
import traceback

# Libraries print; only answers may reach the pipe.
answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)
os.environ["HF_HUB_OFFLINE"] = "1"


class Peer:
    work = None
    batch = None
    model = None

    def open(self, threads):
        try:
            global torch, transformers
            import torch
            import transformers
        except ImportError as error:
            return {"missing": str(error)}
        torch.set_num_threads(threads)
        return {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__}

    def load_encoder(self, folder):
        """A BertModel without its pooler."""
        self.model = model = transformers.BertModel.from_pretrained(folder, add_pooling_layer=False).eval()

        def forward(**batch):
            with torch.no_grad():
                return model(**batch).last_hidden_state

        self.work = forward

    def export_encoder(self, path):
        """Writes the encoder loaded last as ONNX; says what is missing for it, if anything."""
        try:
            import onnx  # noqa: F401, torch.onnx wants it and torch does not bring it
        except ImportError as error:
            return {"missing": str(error)}
        export_encoder(self.model, path)
        return {}

    def load_training(self, architecture, folder, learning_rate, weight_decay, max_grad_norm):
        """A model with a loss. Fused AdamW is the default of transformers' Trainer, and the fastest here."""
        model = getattr(transformers, architecture).from_pretrained(folder).train()
        parameters = list(model.parameters())
        optimizer = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=weight_decay, fused=True)

        def step(**batch):
            optimizer.zero_grad()
            loss = model(**batch).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, max_grad_norm)
            optimizer.step()
            return loss.detach()

        self.work = step

    def set_batch(self, **arrays):
        self.batch = {name: torch.tensor(values) for name, values in arrays.items()}

    def repeat(self, output=None):
        """Does the work once. `output`: a file for the resulting numbers, raw f32."""
        start = time.perf_counter()
        result = self.work(**self.batch)
        milliseconds = (time.perf_counter() - start) * 1e3
        if output is not None:
            result.numpy().tofile(output)
        return {"milliseconds": milliseconds, "loss": result.item() if result.dim() == 0 else None}


def export_encoder(model, path):
    """With the attention spelled out: onnxruntime runs that a little faster than the export of PyTorch's fused attention."""

    class LastHiddenState(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, input_ids, attention_mask):
            return self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state

    inputs, outputs = ["input_ids", "attention_mask"], ["last_hidden_state"]
    example = torch.ones(2, 16, dtype=torch.long)
    attention = model.config._attn_implementation
    model.set_attn_implementation("eager")
    torch.onnx.export(
        LastHiddenState().eval(),
        (example, example),
        path,
        input_names=inputs,
        output_names=outputs,
        dynamic_axes={name: {0: "batch", 1: "length"} for name in inputs + outputs},
        opset_version=17,
        dynamo=False,
    )
    model.set_attn_implementation(attention)


peer = Peer()
for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = {"result": getattr(peer, request.pop("method"))(**request)}
    except Exception:
        answer = {"error": traceback.format_exc().strip()}
    print(json.dumps(answer), file=answers)
