/**
 * What share of the processor's limit the kernels reach: of as many multiplications and additions as it can do when all
 * numbers are in registers. So figures of machines can be compared that are not equally fast. (Node 20 computes all products
 * before the sums, and has no registers left for them: there the limit is measured too low.)
 *
 * @module
 */
import { cpus } from "node:os";
import { Bench } from "tinybench";
import { wasmFunction } from "../../src/assembly/code.js";
import { doWhile } from "../../src/assembly/control.js";
import { f32x4, i32, v128 } from "../../src/assembly/instructions.js";
import { assemble } from "../../src/assembly/module.js";
import { conv2D } from "../../src/kernels/conv2d.js";
import { conv2DInputGradient, conv2DKernelGradient } from "../../src/kernels/conv2d-gradients.js";
import { gemm } from "../../src/kernels/gemm.js";
import { panelVectors } from "../../src/kernels/simd/wide.js";
import { window2D } from "../../src/kernels/window.js";
import { Arena } from "../../src/tensor/arena.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { executions, numbers } from "./report.js";

/** Registers that are multiplied and added to: so many that none is waited for. */
const REGISTERS = 12;
/** Turns of a loop, and how often each turn does all of it, so that the loop itself takes no time. */
const ROUNDS = 25_000;
const REPEATS = 4;

/** The time of a run, and the operations in it. */
interface Work {
  readonly name: string;
  readonly flop: number;
  readonly run: () => void;
}

/** s = s + s * factor for some registers, again and again. */
function inRegisters(): Work {
  const vectors = REGISTERS * (panelVectors() / 2);
  const kernel = wasmFunction("inRegisters", { at: "i32", rounds: "i32" }, ({ at, rounds }, local) => {
    const all = Array.from({ length: vectors }, () => local("v128"));
    const factor = local("v128");
    return [
      factor.set(v128.load32_splat(at)),
      all.map((register, i) => register.set(v128.load(at, 16 * i))),
      doWhile(
        [
          Array.from({ length: REPEATS }, () =>
            all.map((register) => register.set(f32x4.add(register, f32x4.mul(register, factor)))),
          ),
          rounds.set(i32.sub(rounds, 1)),
        ],
        rounds,
      ),
      all.map((register, i) => v128.store(at, register, 1024 + 16 * i)),
    ];
  });
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  new Float32Array(memory.buffer, 4).fill(1); // the factor, the first number, stays 0
  const module = new WebAssembly.Module(assemble([kernel], { minimum: 1, maximum: 1, shared: true }));
  const run = new WebAssembly.Instance(module, { env: { memory } }).exports["inRegisters"];
  if (typeof run !== "function") throw new Error("limit: the module has no such kernel.");
  return { name: "in registers", flop: 2 * 4 * vectors * REPEATS * ROUNDS, run: () => void run(0, ROUNDS) };
}

const arena = new Arena(); // in the heap, as in a training step
const given = (product: () => Tensor) => (): void => arena.run(() => arena.release(product().data));

/** The median speed of `work`, in GFLOP/s. */
async function speedOf({ name, flop, run }: Work): Promise<number> {
  const bench = new Bench({ time: 1500, iterations: 10, warmupTime: 1000, warmupIterations: 10, throws: true });
  bench.add(name, run);
  const [task] = await bench.run();
  if (!("latency" in task.result)) throw new Error(`limit: ${name} was not measured.`);
  return flop / task.result.latency.p50 / 1e6;
}

const limit = await speedOf(inRegisters());
console.log(
  `${cpus()[0].model}, Node ${process.versions.node}, panels of ${panelVectors()} vectors; ` +
    `in registers ${limit.toFixed(1)} GFLOP/s a core`,
);
const rows: Record<string, string>[] = [];
const all = executions();
for (const execution of all.filter(({ accumulate }) => accumulate === "float32")) {
  const threads = execution.pool?.threads ?? 1;
  const works: Work[] = [512, 1024].map((size) => {
    const [a, b] = arena.run(() => [numbers([size, size]), numbers([size, size])]);
    return { name: `gemm ${size}^3`, flop: 2 * size ** 3, run: given(() => gemm(a, b, undefined, execution)) };
  });
  // [batch, side, channels]
  for (const [batch, side, channels] of [
    [32, 32, 16],
    [32, 16, 32],
    [32, 8, 64],
    [8, 28, 128],
    [8, 14, 256],
  ]) {
    const window = window2D([side, side], [3, 3], [1, 1], "same", [1, 1]);
    const [x, dy, kernel] = arena.run(() => [
      ...[0, 1].map(() => numbers([batch, side, side, channels])),
      numbers([3, 3, channels, channels]),
    ]);
    const flop = 2 * batch * side ** 2 * 9 * channels ** 2;
    const name = `3x3 of ${batch}x${side}x${side}x${channels}`;
    works.push(
      { name: `${name}, forward`, flop, run: given(() => conv2D(x, kernel, undefined, window, 1, execution)) },
      {
        name: `${name}, filter gradient`,
        flop,
        run: given(() => conv2DKernelGradient(x, dy, window, 1, execution)),
      },
      {
        name: `${name}, input gradient`,
        flop,
        run: given(() => conv2DInputGradient(dy, kernel, window, 1, execution)),
      },
    );
  }
  for (const work of works) {
    const speed = await speedOf(work);
    const share = `${((100 * speed) / (limit * threads)).toFixed(0)} %`;
    rows.push({ work: work.name, threads: String(threads), "GFLOP/s": speed.toFixed(1), "of the limit": share });
  }
}
for (const execution of all) execution.close();
console.table(rows);
