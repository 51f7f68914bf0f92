/**
 * What the kernel benches share: inputs, and a table of GFLOP/s.
 *
 * @module
 */
import { availableParallelism, cpus } from "node:os";
import type { Bench } from "tinybench";
import { createExecution, type OwnedExecution } from "../../src/kernels/execution.js";
import { type Shape, sizeOf } from "../../src/tensor/shape.js";
import { empty, type Tensor } from "../../src/tensor/tensor.js";

/** A float32 tensor of small numbers that are neither zero nor all alike. */
export function numbers(shape: Shape): Tensor {
  const x = empty(shape, "float32");
  for (let i = 0; i < sizeOf(shape); i++) x.data[i] = ((i % 17) - 8.5) / 8;
  return x;
}

/** One execution for each accumulation and for 1 thread, and 2 where the machine has them. */
export function executions(): OwnedExecution[] {
  const threads = availableParallelism() > 1 ? [1, 2] : [1];
  const accumulations = ["float64", "float32"] as const;
  return threads.flatMap((count) => accumulations.map((accumulate) => createExecution({ threads: count, accumulate })));
}

/** `product`, accumulation and threads, as a task of a bench is called. */
export function taskName(product: string, { accumulate, pool }: OwnedExecution): string {
  return `${product}, ${accumulate}, ${pool?.threads ?? 1} thread${pool === undefined ? "" : "s"}`;
}

/** Runs `bench`, each of whose tasks makes `flop` floating-point operations, and prints machine, version and rates. */
export async function report(bench: Bench, flop: number): Promise<void> {
  await bench.run();
  console.log(`${bench.name}\n${cpus()[0].model}, Node ${process.versions.node}, ${(flop / 1e9).toFixed(3)} GFLOP`);
  console.table(
    bench.tasks.map(({ name, result }) => {
      if (!("latency" in result)) return { task: name };
      const { min, p50 } = result.latency; // milliseconds
      return {
        task: name,
        "best GFLOP/s": (flop / min / 1e6).toFixed(2),
        "median GFLOP/s": (flop / p50 / 1e6).toFixed(2),
      };
    }),
  );
}
