"""A candidate in Python: a naive float32 conv2d (strides 2, padding "same") of in.npz, written to out.npy."""
import numpy as np

random = np.random.default_rng(0)
x = random.standard_normal((2, 8, 6, 3), dtype=np.float32)  # NHWC
kernel = random.standard_normal((3, 3, 3, 4), dtype=np.float32)  # HWIO
np.savez("in.npz", x=x, kernel=kernel)

(n, h, w, c), (kh, kw, _, f), s = x.shape, kernel.shape, 2
oh, ow = -(-h // s), -(-w // s)
# SAME: as many zeros as make oh windows fit, the odd one at the end
rows, columns = max((oh - 1) * s + kh - h, 0), max((ow - 1) * s + kw - w, 0)
top, left = rows // 2, columns // 2
x = np.pad(x, ((0, 0), (top, rows - top), (left, columns - left), (0, 0)))

y = np.zeros((n, oh, ow, f), np.float32)
for a in range(kh):
    for b in range(kw):
        for i in range(c):
            y += x[:, a : a + s * oh : s, b : b + s * ow : s, i, None] * kernel[a, b, i]
np.save("out.npy", y)
