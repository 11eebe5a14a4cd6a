"""PyTorch on the GPU: the works of bench:kernels, bench:models and bench:training, eager and compiled; prints JSON lines."""
import json, sys, time, torch, torch.nn.functional as F
dev = torch.device("cuda")
torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False
start = time.time()
def out(**k): print(json.dumps(k), flush=True)
out(work="device", name=torch.cuda.get_device_name(), torch=torch.__version__)
def ms(f, wall=False):
    for _ in range(3): f()
    torch.cuda.synchronize()
    n = 1
    while True:
        torch.cuda.synchronize(); t = time.perf_counter()
        for _ in range(n): f()
        torch.cuda.synchronize(); e = time.perf_counter() - t
        if e > .03 or n >= 2000: break
        n = max(n + 1, min(2000, int(n * .04 / max(e, 1e-5))))
    ts = []
    for _ in range(5):
        torch.cuda.synchronize(); t = time.perf_counter()
        for _ in range(n): f()
        torch.cuda.synchronize(); ts.append((time.perf_counter() - t) / n)
    return sorted(ts)[2] * 1e3
R = lambda *s, **k: torch.randn(*s, device=dev, **k)
def report(work, shape, f, flops=0, bytes=0, mode="eager"):
    t = ms(f); out(work=work, shape=shape, mode=mode, ms=t, gflops=flops / t / 1e6, gbps=bytes / t / 1e6)
x = R(48 * 2**20); y = torch.empty_like(x)
report("copy", "192 MiB", lambda: y.copy_(x), bytes=2 * x.numel() * 4)
for n in [256, 512, 1024, 4096]:
    for dt, name in [(torch.float32, "f32"), (torch.float16, "f16")]:
        a, b = R(n, n, dtype=dt), R(n, n, dtype=dt)
        report(f"matmul {name}", f"{n}", lambda: a @ b, flops=2 * n**3)
for m, k, n in [(512, 384, 1536), (512, 1536, 384), (768, 128, 512), (4096, 768, 768)]:
    a, b = R(m, k), R(k, n); report("matmul f32", f"{m} × {k} × {n}", lambda: a @ b, flops=2 * m * k * n)
for k, n in [(4096, 4096), (4096, 16384)]:
    for dt, name, s in [(torch.float32, "f32", 4), (torch.float16, "f16", 2)]:
        a, b = R(1, k, dtype=dt), R(n, k, dtype=dt); report(f"gemv {name}", f"1 × {k} × {n}", lambda: F.linear(a, b), flops=2 * k * n, bytes=s * k * n)
for b, l, h, d, c in [(8, 64, 12, 32, False), (12, 64, 4, 32, True), (4, 512, 12, 64, True), (8, 2048, 16, 64, True)]:
    q, k, v = (R(b, h, l, d, requires_grad=True) for _ in range(3)); g = R(b, h, l, d); fl = (2 if c else 4) * b * h * l * l * d
    with torch.no_grad(): report("attention forward", f"{b} × {l} × {h} × {d}", lambda: F.scaled_dot_product_attention(q, k, v, is_causal=c), flops=fl)
    def fb():
        o = F.scaled_dot_product_attention(q, k, v, is_causal=c); torch.autograd.grad(o, (q, k, v), g)
    report("attention forward + backward", f"{b} × {l} × {h} × {d}", fb, flops=3.5 * fl)
for r, f in [(512, 384), (4096, 768), (16384, 4096)]:
    x = R(r, f, requires_grad=True); w = R(f, requires_grad=True); b = R(f, requires_grad=True); g = R(r, f); e = r * f
    ln = lambda x: F.layer_norm(x, (f,), w, b)
    with torch.no_grad(): report("layer norm forward", f"{r} × {f}", lambda: ln(x), bytes=8 * e)
    def fb(): torch.autograd.grad(ln(x), (x, w, b), g)
    report("layer norm forward + backward", f"{r} × {f}", fb, bytes=28 * e)
for r, f in [(2048, 1024), (16384, 4096)]:
    x = R(r, f); report("softmax", f"{r} × {f}", lambda: torch.softmax(x, -1), bytes=8 * r * f)
for r, c in [(768, 65), (512, 30522), (2048, 50304)]:
    x = R(r, c, requires_grad=True); t = torch.randint(0, c, (r,), device=dev)
    with torch.no_grad(): report("cross-entropy forward", f"{r} × {c}", lambda: F.cross_entropy(x, t), bytes=4 * r * c)
    def fb(): torch.autograd.grad(F.cross_entropy(x, t), x)
    report("cross-entropy forward + backward", f"{r} × {c}", fb, bytes=12 * r * c)
for r, f in [(512, 1536), (4096, 3072), (16384, 4096)]:
    x, z = R(r, f), R(r, f); fn = lambda: F.gelu(x) + z
    report("GELU(x) + residual", f"{r} × {f}", fn, bytes=12 * r * f)
def adam(hidden, layers, vocab, name):
    sh = [[vocab, hidden]] + [[hidden, 3*hidden],[3*hidden],[hidden,hidden],[hidden],[hidden,4*hidden],[4*hidden],[4*hidden,hidden],[hidden],[hidden],[hidden],[hidden],[hidden]] * layers
    ps = [torch.nn.Parameter(R(*s)) for s in sh]
    for p in ps: p.grad = R(*p.shape)
    o = torch.optim.AdamW(ps, fused=True); n = sum(p.numel() for p in ps)
    report("AdamW", name, o.step, bytes=28 * n)
adam(128, 4, 65, "nanoGPT"); adam(384, 6, 30522, "MiniLM"); adam(768, 12, 50257, "GPT-2")
# models
from transformers import BertConfig, BertModel, GPT2Config, GPT2LMHeadModel
def enc(hidden, layers, heads, B, T, name):
    m = BertModel(BertConfig(vocab_size=30522, hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=4*hidden), add_pooling_layer=False).eval().to(dev)
    ids = torch.randint(5, 30000, (B, T), device=dev); a = torch.ones_like(ids); tt = torch.zeros_like(ids)
    fl = 2*B*T*layers*12*hidden**2 + 4*B*T*T*hidden*layers
    with torch.no_grad():
        report(f"encoder {name}", f"{B} × {T}", lambda: m(input_ids=ids, attention_mask=a, token_type_ids=tt), flops=fl)
        if B == 8 or B == 32:
            try:
                c = torch.compile(m, mode="reduce-overhead"); report(f"encoder {name}", f"{B} × {T}", lambda: c(input_ids=ids, attention_mask=a, token_type_ids=tt), flops=fl, mode="compiled")
            except Exception as e: out(work="error", text=str(e)[:300])
enc(384, 6, 12, 1, 16, "6 × 384"); enc(384, 6, 12, 8, 64, "6 × 384")
def gpt(h, l, nh, ctx, B, T, name, vocab=65):
    for mode in ["eager", "compiled"]:
        m = GPT2LMHeadModel(GPT2Config(vocab_size=vocab, resid_pdrop=0., embd_pdrop=0., attn_pdrop=0., bos_token_id=0, eos_token_id=0, n_embd=h, n_layer=l, n_head=nh, n_positions=ctx)).to(dev)
        o = torch.optim.AdamW(m.parameters(), lr=1e-3, fused=True); x = torch.randint(0, vocab, (B, T), device=dev)
        f = lambda: m(input_ids=x, labels=x).loss
        if mode == "compiled": f = torch.compile(f)
        def step():
            o.zero_grad(); f().backward(); torch.nn.utils.clip_grad_norm_(m.parameters(), 1.); o.step()
        try: report(f"training step {name}", f"{B} × {T}", step, flops=6*B*T*(12*l*h*h+vocab*h)+12*B*T*T*h*l, mode=mode)
        except Exception as e: out(work="error", text=str(e)[:300])
gpt(128, 4, 4, 64, 12, 64, "nanoGPT 4 × 128")
enc(384, 6, 12, 32, 64, "6 × 384")
out(work="done", seconds=time.time() - start)
