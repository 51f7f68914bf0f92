/**
 * Cases of the size of ResNet's layers, of standard normal numbers: fast kernels (Winograd, blocked channels, split sums) are
 * chosen by size, and the kit's own cases are small.
 *
 * @module
 */
import { randomStream } from "../../build/src/arithmetic/random.js";
import { operationNamed } from "../../build/src/oracle/operations/table.js";
import { tensor } from "../../build/src/tensor/tensor.js";

/** Shapes by operand, arguments, and by what a weight is scaled: the root of its fan-in keeps results near 1. */
const CASES = [
  ["conv2d", { x: [1, 28, 30, 64], kernel: [3, 3, 64, 32], bias: [32] }, { strides: [1, 1], padding: "same" }],
  ["conv2d", { x: [2, 29, 27, 32], kernel: [3, 3, 32, 48] }, { strides: [2, 2], padding: "same" }],
  ["conv2d", { x: [1, 14, 15, 256], kernel: [1, 1, 256, 64], bias: [64] }, { strides: [1, 1], padding: "valid" }],
  ["conv2d", { x: [1, 57, 55, 3], kernel: [7, 7, 3, 32] }, { strides: [2, 2], padding: "same" }],
  [
    "conv2d-backward",
    { x: [2, 14, 15, 32], kernel: [3, 3, 32, 48], dy: [2, 14, 15, 48] },
    { strides: [1, 1], padding: "same" },
  ],
  ["depthwise-conv2d", { x: [1, 28, 30, 64], kernel: [3, 3, 64, 1] }, { strides: [1, 1], padding: "same" }],
  ["dense", { x: [32, 512], kernel: [512, 100], bias: [100] }, {}],
  ["dense-backward", { x: [64, 256], kernel: [256, 100], dy: [64, 100] }, {}],
  ["average-pooling2d", { x: [2, 16, 17, 64] }, { poolSize: [3, 3], strides: [2, 2], padding: "valid" }],
  ["global-average-pooling2d", { x: [4, 14, 15, 128] }, { keepdims: false }],
  ["relu", { x: [2, 16, 17, 64] }, {}],
  ["sigmoid", { x: [64, 100] }, {}],
  ["tanh", { x: [64, 100] }, {}],
  ["softmax", { x: [64, 100] }, { axis: -1 }],
  [
    "batch-normalization",
    { x: [2, 14, 15, 64], gamma: [64], beta: [64], movingMean: [64], movingVariance: [64] },
    { axis: -1, momentum: 0.99, epsilon: 1e-3 },
  ],
  [
    "batch-normalization-training",
    { x: [4, 14, 15, 64], gamma: [64], beta: [64], movingMean: [64], movingVariance: [64] },
    { axis: -1, momentum: 0.99, epsilon: 1e-3 },
  ],
  [
    "batch-normalization-training-backward",
    { x: [4, 14, 15, 64], gamma: [64], dy: [4, 14, 15, 64] },
    { axis: -1, momentum: 0.99, epsilon: 1e-3 },
  ],
];

function numbers(name, shape, seed) {
  const random = randomStream(seed, name);
  const size = shape.reduce((product, n) => product * n, 1);
  const scale = name === "kernel" ? 1 / Math.sqrt(size / shape[shape.length - 1]) : 1;
  return Float32Array.from({ length: size }, (_, i) => {
    const value = scale * random.normal(i);
    return name === "movingVariance" ? Math.abs(value) + 0.1 : value;
  });
}

/** Judges `operations` on all cases that they have; one entry an operation and case. */
export async function checkLarge(operations, { judgeTensor, model, seed }) {
  const rows = [];
  for (const [operation, shapes, args] of CASES) {
    const run = operations[operation];
    if (run === undefined) continue;
    const plain = Object.fromEntries(
      Object.entries(shapes).map(([name, shape]) => [name, { data: numbers(name, shape, seed), shape }]),
    );
    const operands = Object.fromEntries(
      Object.entries(plain).map(([name, { data, shape }]) => [name, tensor(data.slice(), shape)]),
    );
    const complete = { dilationRate: [1, 1], ...args };
    const judged = operationNamed(operation).expect(operands, operation.includes("conv2d") ? complete : args, model);
    let results;
    try {
      results = await run(plain, operation.includes("conv2d") ? complete : args);
    } catch (error) {
      rows.push({ operation, shapes, args, failure: error.message });
      continue;
    }
    for (const [output, expectation] of Object.entries(judged)) {
      const result = results[output];
      if (result === undefined) continue;
      const judgement = judgeTensor(tensor(Float32Array.from(result.data), result.shape), expectation);
      const { holds, broken, worstRatio, effectiveBits, variance, bias } = judgement;
      rows.push({ operation, output, shapes, args, holds, broken, worstRatio, effectiveBits, variance, bias });
    }
  }
  return rows;
}
