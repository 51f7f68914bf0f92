// A candidate in JavaScript: a naive float32 dense layer, y = x kernel + bias; writes in.npz and out.npy.
import { writeFileSync } from "node:fs";
import { writeNpy, writeNpz } from "touchstone";

const [rows, inputs, units] = [4, 7, 5];
const fill = (...shape) => {
  const data = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => ((i * 37) % 101) / 50 - 1);
  return { dtype: "float32", shape, data };
};
const [x, kernel, bias] = [fill(rows, inputs), fill(inputs, units), fill(units)];
const y = fill(rows, units);
for (let row = 0; row < rows; row++) {
  for (let unit = 0; unit < units; unit++) {
    let sum = bias.data[unit];
    for (let i = 0; i < inputs; i++) {
      sum = Math.fround(sum + Math.fround(x.data[row * inputs + i] * kernel.data[i * units + unit]));
    }
    y.data[row * units + unit] = sum;
  }
}
writeFileSync("in.npz", writeNpz(new Map(Object.entries({ x, kernel, bias }))));
writeFileSync("out.npy", writeNpy(y));
