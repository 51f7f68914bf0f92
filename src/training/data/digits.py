"""Makes digits-bytes.ts, the optical digits of UCI as scikit-learn ships them.

    python digits.py > digits-bytes.ts && npx biome format --write digits-bytes.ts

Made with Python 3.11, scikit-learn 1.9.1, NumPy 2.4.6. What is packed is 1,797 * 64 bytes of pixels, 0 to 16, image after
image and row after row, then 1,797 bytes of labels; the order is scikit-learn's. Its SHA-256 is CONTENT_SHA256 below: another
zlib may deflate it to other bytes, which unpack to the same.

E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998,
https://doi.org/10.24432/C50P49, licence CC BY 4.0, https://creativecommons.org/licenses/by/4.0/.
"""

import base64
import hashlib
import zlib

import numpy as np
from sklearn.datasets import load_digits

CONTENT_SHA256 = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"
LINE = 2000

digits = load_digits()
content = digits.images.astype(np.uint8).tobytes() + digits.target.astype(np.uint8).tobytes()
assert digits.images.shape == (1797, 8, 8) and (digits.images == digits.images.astype(np.uint8)).all()
assert hashlib.sha256(content).hexdigest() == CONTENT_SHA256, hashlib.sha256(content).hexdigest()

deflate = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
text = base64.b64encode(deflate.compress(content) + deflate.flush()).decode()
print(f"""/**
 * The optical digits of UCI, packed: written by digits.py, read by digits.ts.
 *
 * E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998,
 * https://doi.org/10.24432/C50P49, licence CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/). Changed only in form:
 * the 1,797 images of the set's test half as scikit-learn {__import__("sklearn").__version__} ships them, then their labels, a byte each, deflated, in
 * base64. SHA-256 of the bytes:
 * {CONTENT_SHA256}.
 *
 * @module
 */

/** 1,797 * 64 pixels, 0 to 16, and 1,797 labels: deflated, in base64. */
export const DIGITS: string =""")
print(" +\n".join(f'  "{text[i : i + LINE]}"' for i in range(0, len(text), LINE)) + ";")
