"""Seconds an epoch of SASRec in PyTorch, beside `recommender-fit.ts`: the same model, loss, batches and clipping.

    python benchmarks/quality/recommender_epoch.py Beauty.txt [--epochs 3] [--batches grouped|padded]

The file has a user and their items a line, oldest first; the last two items of each are left out, as `fit` leaves them out in its
first phase. "grouped" batches hold histories of about one length, as Heddle's do; "padded" ones are padded to 50, as most SASRec code does it.
The softmax goes over all items at the places that have a label. Two threads, as onnxruntime has here.
"""

import argparse
import random
import resource
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

HIDDEN, HEADS, LAYERS, LENGTH, BATCH, DROPOUT = 64, 2, 2, 50, 128, 0.5


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(HIDDEN, HIDDEN) for _ in range(4))
        self.inner, self.outer = nn.Linear(HIDDEN, 4 * HIDDEN), nn.Linear(4 * HIDDEN, HIDDEN)
        self.norm1, self.norm2 = nn.LayerNorm(HIDDEN), nn.LayerNorm(HIDDEN)

    def forward(self, x, mask):
        batch, length, _ = x.shape
        heads = lambda y: y.view(batch, length, HEADS, HIDDEN // HEADS).transpose(1, 2)
        context = F.scaled_dot_product_attention(heads(self.query(x)), heads(self.key(x)), heads(self.value(x)), attn_mask=mask, dropout_p=DROPOUT)
        x = self.norm1(x + F.dropout(self.out(context.transpose(1, 2).reshape(batch, length, HIDDEN)), DROPOUT))
        return self.norm2(x + F.dropout(self.outer(F.gelu(self.inner(x))), DROPOUT))


class SASRec(nn.Module):
    def __init__(self, items):
        super().__init__()
        self.items, self.places = nn.Embedding(items + 1, HIDDEN, padding_idx=0), nn.Embedding(LENGTH, HIDDEN)
        self.norm, self.blocks = nn.LayerNorm(HIDDEN), nn.ModuleList(Block() for _ in range(LAYERS))
        for table in (self.items, self.places):
            nn.init.normal_(table.weight, std=0.02)

    def forward(self, ids, labelled):
        length = ids.shape[1]
        x = F.dropout(self.norm(self.items(ids) + self.places.weight[LENGTH - length :]), DROPOUT)
        causal, own = torch.ones(length, length, dtype=torch.bool).tril(), torch.eye(length, dtype=torch.bool)
        mask = (causal & (ids != 0)[:, None, None, :]) | own
        for block in self.blocks:
            x = block(x, mask)
        return x.reshape(-1, HIDDEN)[labelled] @ self.items.weight.T


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batches", choices=["grouped", "padded"], default="grouped")
    args = parser.parse_args()
    torch.set_num_threads(2)
    torch.manual_seed(1)
    random.seed(1)
    histories = [[int(item) for item in line.split()[1:]] for line in open(args.file)]
    items = max(max(history) for history in histories)
    windows = []
    for history in (history[:-2] for history in histories):
        end = len(history) - 1
        while end > 0:
            begin = max(0, end - LENGTH)
            windows.append((history[begin:end], history[begin + 1 : end + 1]))
            end -= LENGTH
    model = SASRec(items)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=0.0)
    for epoch in range(args.epochs):
        order = random.sample(range(len(windows)), len(windows))
        if args.batches == "grouped":
            near = BATCH * 50
            order = [row for i in range(0, len(order), near) for row in sorted(order[i : i + near], key=lambda row: -len(windows[row][0]))]
        batches = [order[i : i + BATCH] for i in range(0, len(order), BATCH)]
        started, cpu, total = time.time(), resource.getrusage(resource.RUSAGE_SELF), 0.0
        for batch in batches:
            length = max(len(windows[row][0]) for row in batch) if args.batches == "grouped" else LENGTH
            ids, labelled, labels = torch.zeros(len(batch), length, dtype=torch.long), [], []
            for i, (inputs, targets) in enumerate(windows[row] for row in batch):
                ids[i, length - len(inputs) :] = torch.tensor(inputs)
                labelled += range((i + 1) * length - len(inputs), (i + 1) * length)
                labels += targets
            loss = F.cross_entropy(model(ids, torch.tensor(labelled)), torch.tensor(labels))
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            total += loss.item()
        used = resource.getrusage(resource.RUSAGE_SELF)
        print(f"epoch {epoch + 1}, {args.batches}: {time.time() - started:.1f} s, {used.ru_utime + used.ru_stime - cpu.ru_utime - cpu.ru_stime:.1f} s of CPU, {len(batches)} steps, loss {total / len(batches):.3f}", flush=True)


main()
