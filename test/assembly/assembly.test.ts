import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type Body,
  type Local,
  type NamedFunction,
  type Value,
  type ValueType,
  wasmFunction,
} from "../../src/assembly/code.js";
import { call, doWhile, drop, leaveWhen, returns, select, when, whileLoop } from "../../src/assembly/control.js";
import { hasRelaxedMadd } from "../../src/assembly/features.js";
import { list, name, section, signed, unsigned } from "../../src/assembly/encoding.js";
import { f32, f32x4, f64, f64x2, i8x16, i32, i32x4, i64x2, memory, v128 } from "../../src/assembly/instructions.js";
import { assemble } from "../../src/assembly/module.js";

const PAGE = { minimum: 1, maximum: 1, shared: false };

interface Running {
  readonly memory: DataView;
  /** Calls an exported function. */
  readonly run: (name: string, ...values: number[]) => unknown;
}

function start(...functions: readonly NamedFunction<Readonly<Record<string, ValueType>>>[]): Running {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  const module = new WebAssembly.Module(assemble(functions, PAGE));
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  return {
    memory: new DataView(memory.buffer),
    run(name, ...values) {
      const found = exports[name];
      assert.ok(typeof found === "function", name);
      return found(...values);
    },
  };
}

/** Runs a body on a memory that `fill` has filled, and returns the memory. */
function runOn(
  fill: (view: DataView) => void,
  build: (local: <T extends ValueType>(type: T) => Local<T>) => Body,
): DataView {
  const { memory, run } = start(wasmFunction("f", {}, (_, local) => build(local)));
  fill(memory);
  run("f");
  return memory;
}

const floats = (values: readonly number[], bytes: 4 | 8) => (view: DataView) =>
  values.forEach((value, i) =>
    bytes === 4 ? view.setFloat32(4 * i, value, true) : view.setFloat64(8 * i, value, true),
  );

/** Every instruction of a table, applied by `make`, against `expected` of the same name, on all pairs of `values`. */
function eachPair(
  values: readonly number[],
  expected: Readonly<Record<string, (a: number, b: number) => number | boolean>>,
  make: (name: string, a: number, b: number) => unknown,
): void {
  for (const [name, reference] of Object.entries(expected)) {
    for (const a of values) {
      for (const b of values) {
        const actual = make(name, a, b);
        assert.ok(
          Object.is(actual, reference(a, b)),
          `${name}(${a}, ${b}) must be ${reference(a, b)}, is ${String(actual)}`,
        );
      }
    }
  }
}

const special = [0, -0, 1, -1, 1.5, -2.5, 0.1, 3e38, 1e-40, Infinity, -Infinity, NaN];
const integers = [0, 1, -1, 7, -8, 31, 33, 2 ** 31 - 1, -(2 ** 31)];
const compare: Record<string, (a: number, b: number) => boolean> = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  lt: (a, b) => a < b,
  gt: (a, b) => a > b,
  le: (a, b) => a <= b,
  ge: (a, b) => a >= b,
};
const arithmetic: Record<string, (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  min: Math.min,
  max: Math.max,
};
const pseudo: Record<string, (a: number, b: number) => number> = {
  pmin: (a, b) => (b < a ? b : a),
  pmax: (a, b) => (a < b ? b : a),
};
const unary: Record<string, (a: number) => number> = {
  abs: Math.abs,
  neg: (a) => -a,
  ceil: Math.ceil,
  floor: Math.floor,
  trunc: Math.trunc,
  sqrt: Math.sqrt,
};

describe("the binary encoding", () => {
  it("writes unsigned LEB128", () => {
    assert.deepEqual(unsigned(0), [0]);
    assert.deepEqual(unsigned(127), [127]);
    assert.deepEqual(unsigned(128), [128, 1]);
    assert.deepEqual(unsigned(624485), [0xe5, 0x8e, 0x26]);
    assert.deepEqual(unsigned(2 ** 32 - 1), [255, 255, 255, 255, 15]);
  });

  it("writes signed LEB128", () => {
    assert.deepEqual(signed(63), [63]);
    assert.deepEqual(signed(64), [0xc0, 0]);
    assert.deepEqual(signed(-1), [0x7f]);
    assert.deepEqual(signed(-64), [0x40]);
    assert.deepEqual(signed(-65), [0xbf, 0x7f]);
    assert.deepEqual(signed(-123456), [0xc0, 0xbb, 0x78]);
    assert.deepEqual(signed(2 ** 32 - 4), [0x7c], "an address above 2 GiB is a negative i32");
  });

  it("puts lengths before lists, names and sections", () => {
    assert.deepEqual(list([[7], [8, 9]]), [2, 7, 8, 9]);
    assert.deepEqual(name("env"), [3, 0x65, 0x6e, 0x76]);
    assert.deepEqual(section(1, [5, 6]), [1, 2, 5, 6]);
  });

  it("gives the bytes of the smallest module that does something", () => {
    const add = wasmFunction("add", { a: "i32", b: "i32" }, ({ a, b }) => returns(i32.add(a, b)), "i32");
    const bytes = assemble([add], { minimum: 1, maximum: 2, shared: true });
    assert.deepEqual(Array.from(bytes), [
      ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // magic, version
      ...[1, 7, 1, 0x60, 2, 0x7f, 0x7f, 1, 0x7f], // one type: (i32, i32) -> i32
      ...[2, 16, 1, 3, 0x65, 0x6e, 0x76, 6, 0x6d, 0x65, 0x6d, 0x6f, 0x72, 0x79, 2, 3, 1, 2], // env.memory, shared
      ...[3, 2, 1, 0], // one function, of type 0
      ...[7, 7, 1, 3, 0x61, 0x64, 0x64, 0, 0], // exported as "add"
      ...[10, 11, 1, 9, 0, 0x20, 0, 0x20, 1, 0x6a, 0x0f, 0, 0x0b], // get a, get b, add, return, unreachable, end
    ]);
  });
});

describe("functions and control", () => {
  it("loops with the test behind the body and before it", () => {
    const counts = (what: "doWhile" | "whileLoop") =>
      wasmFunction(
        what,
        { n: "i32" },
        ({ n }, local) => {
          const turns = local("i32");
          const body = [turns.set(i32.add(turns, 1)), n.set(i32.sub(n, 1))];
          const more = i32.gt_s(n, 0);
          return [what === "doWhile" ? doWhile(body, more) : whileLoop(more, body), returns(turns)];
        },
        "i32",
      );
    const { run } = start(counts("doWhile"), counts("whileLoop"));
    assert.deepEqual(
      [0, 1, 5].map((n) => [run("doWhile", n), run("whileLoop", n)]),
      [
        [1, 0],
        [1, 1],
        [5, 5],
      ],
    );
  });

  it("leaves a loop in the middle, and goes on behind it", () => {
    const counts = wasmFunction(
      "counts",
      { limit: "i32" },
      ({ limit }, local) => {
        const [turns, ends] = [local("i32"), local("i32")];
        return [
          doWhile(
            [turns.set(i32.add(turns, 1)), leaveWhen(i32.eq(turns, limit)), ends.set(i32.add(ends, 1))],
            i32.lt_s(turns, 5),
          ),
          returns(i32.add(i32.mul(turns, 10), ends)),
        ];
      },
      "i32",
    );
    const { run } = start(counts);
    assert.deepEqual([run("counts", 3), run("counts", 9)], [32, 55]);
  });

  it("chooses between statements, with or without an alternative, and between values", () => {
    const { run } = start(
      wasmFunction(
        "sign",
        { n: "i32" },
        ({ n }) => [
          when(i32.lt_s(n, 0), returns(i32.const(-1)), when(i32.eqz(n), returns(i32.const(0)))),
          returns(i32.const(1)),
        ],
        "i32",
      ),
      wasmFunction("smaller", { a: "f64", b: "f64" }, ({ a, b }) => returns(select("f64", a, b, f64.lt(a, b))), "f64"),
    );
    assert.deepEqual(
      [-5, 0, 9].map((n) => run("sign", n)),
      [-1, 0, 1],
    );
    assert.deepEqual([run("smaller", 2, 3), run("smaller", 3, 2)], [2, 2]);
  });

  it("calls functions by parameter name, sets variables in passing, and drops values", () => {
    const put = wasmFunction("put", { at: "i32", value: "f32" }, ({ at, value }) => f32.store(at, value));
    const main = wasmFunction("main", {}, (_, local) => {
      const at = local("i32");
      return [
        call(put, { value: 2.5, at: at.tee(8) }),
        drop(at),
        call(put, { at: i32.add(at, 4), value: f32.const(-1) }),
      ];
    });
    const { memory, run } = start(put, main);
    run("main");
    assert.deepEqual([memory.getFloat32(8, true), memory.getFloat32(12, true)], [2.5, -1]);
  });

  it("may be of any length, one behind the other", () => {
    const counting = (name: string, count: number): NamedFunction<{ from: "i32" }> =>
      wasmFunction(
        name,
        { from: "i32" },
        ({ from }) => [
          Array.from({ length: count }, () => from.set(i32.add(from, 1))), // of 7 bytes each
          returns(from),
        ],
        "i32",
      );
    const { run } = start(counting("long", 10_000), counting("short", 3), counting("longer", 40_000));
    assert.deepEqual([run("long", 5), run("short", 6), run("longer", 7)], [10_005, 9, 40_007]);
  });

  it("refuses to call what is not in the module, and two functions of one name", () => {
    const inner = wasmFunction("inner", {}, () => []);
    const outer = wasmFunction("outer", {}, () => call(inner, {}));
    assert.throws(() => assemble([outer], PAGE), {
      message: 'internal: assembly: "outer" calls "inner", which is not in the module.',
    });
    assert.throws(() => assemble([inner, inner], PAGE), {
      message: 'internal: assembly: two functions are called "inner".',
    });
  });

  it("has types that refuse a float where an address belongs, and one vector where a number belongs", () => {
    const refused = (): void => {
      // @ts-expect-error an address is an i32
      v128.load(f32.const(1));
      // @ts-expect-error a vector is not a number
      f64.add(v128.zero(), 1);
      // @ts-expect-error an i32 variable holds no vector
      wasmFunction("f", { n: "i32" }, ({ n }) => n.set(v128.zero()));
      const g = wasmFunction("g", { n: "i32" }, () => []);
      // @ts-expect-error the parameter is called n
      call(g, { m: 1 });
    };
    assert.equal(typeof refused, "function");
  });
});

describe("scalar instructions", () => {
  it("compute with integers as JavaScript's 32-bit operators do", () => {
    const { run } = start(
      ...(["add", "sub", "mul", "and", "or", "xor", "shl", "shr_s", "shr_u"] as const).map((op) =>
        binaryOf(op, i32[op], "i32", "i32"),
      ),
      ...(["eq", "ne", "lt_s", "gt_s", "le_s", "ge_s", "lt_u", "gt_u", "le_u", "ge_u"] as const).map((op) =>
        binaryOf(op, i32[op], "i32", "i32"),
      ),
      ...(["div_s", "div_u", "rem_s", "rem_u"] as const).map((op) => binaryOf(op, i32[op], "i32", "i32")),
    );
    const signedly = Object.fromEntries(
      Object.entries(compare).map(([op, f]) => [
        op.length > 2 || op === "eq" || op === "ne" ? op : `${op}_s`,
        (a: number, b: number) => Number(f(a, b)),
      ]),
    );
    const unsignedly = Object.fromEntries(
      ["lt", "gt", "le", "ge"].map((op) => [
        `${op}_u`,
        (a: number, b: number) => Number(compare[op](a >>> 0, b >>> 0)),
      ]),
    );
    const reference = {
      add: (a: number, b: number) => (a + b) | 0,
      sub: (a: number, b: number) => (a - b) | 0,
      mul: Math.imul,
      and: (a: number, b: number) => a & b,
      or: (a: number, b: number) => a | b,
      xor: (a: number, b: number) => a ^ b,
      shl: (a: number, b: number) => a << b,
      shr_s: (a: number, b: number) => a >> b,
      shr_u: (a: number, b: number) => (a >>> b) | 0,
      ...signedly,
      ...unsignedly,
    };
    eachPair(integers, reference, (op, a, b) => run(op, a, b));
    assert.deepEqual(
      [run("div_s", -7, 2), run("rem_s", -7, 2), run("div_u", -1, 2), run("rem_u", -1, 10)],
      [-3, -1, 2 ** 31 - 1, 5],
    );
  });

  for (const [type, round] of [
    ["f32", Math.fround],
    ["f64", (v: number) => v],
  ] as const) {
    it(`compute with ${type} as JavaScript does`, () => {
      const binaries = ["add", "sub", "mul", "div", "min", "max", "copysign"] as const;
      const unaries = ["abs", "neg", "ceil", "floor", "trunc", "nearest", "sqrt"] as const;
      const comparisons = ["eq", "ne", "lt", "gt", "le", "ge"] as const;
      const functions =
        type === "f32"
          ? [
              ...binaries.map((op) => binaryOf(op, f32[op], "f32", "f32")),
              ...comparisons.map((op) => binaryOf(op, f32[op], "f32", "i32")),
              ...unaries.map((op) => wasmFunction(op, { a: "f32" }, ({ a }) => returns(f32[op](a)), "f32")),
              wasmFunction("convert", { a: "i32" }, ({ a }) => returns(f32.convert_i32_s(a)), "f32"),
            ]
          : [
              ...binaries.map((op) => binaryOf(op, f64[op], "f64", "f64")),
              ...comparisons.map((op) => binaryOf(op, f64[op], "f64", "i32")),
              ...unaries.map((op) => wasmFunction(op, { a: "f64" }, ({ a }) => returns(f64[op](a)), "f64")),
              wasmFunction("convert", { a: "i32" }, ({ a }) => returns(f64.convert_i32_s(a)), "f64"),
            ];
      const { run } = start(...functions);
      const values = special.map(round);
      const rounded = Object.fromEntries(
        Object.entries(arithmetic).map(([op, f]) => [op, (a: number, b: number) => round(f(a, b))]),
      );
      eachPair(values, rounded, (op, a, b) => run(op, a, b));
      eachPair(values, compare, (op, a, b) => run(op, a, b) === 1);
      eachPair(values, unaryPairs(round), (op, a) => run(op, a));
      assert.deepEqual(
        [run("nearest", 2.5), run("nearest", 3.5), run("copysign", 2, -0), run("convert", -3)],
        [2, 4, -2, -3],
      );
    });
  }

  it("convert between the float types, rounding once", () => {
    const { run } = start(
      wasmFunction("demote", { a: "f64" }, ({ a }) => returns(f32.demote_f64(a)), "f32"),
      wasmFunction("promote", { a: "f32" }, ({ a }) => returns(f64.promote_f32(a)), "f64"),
    );
    assert.equal(run("demote", 0.1), Math.fround(0.1));
    assert.equal(run("promote", 0.1), Math.fround(0.1));
  });

  it("load and store at an address plus an offset", () => {
    const view = runOn(floats([1.5, 2.5], 8), () => [
      f64.store(16, f64.load(0, 8)),
      f32.store(24, f32.demote_f64(f64.load(0)), 4),
      i32.store(32, i32.load(16), 8),
    ]);
    assert.deepEqual([view.getFloat64(16, true), view.getFloat32(28, true)], [2.5, 1.5]);
    assert.equal(view.getInt32(40, true), view.getInt32(16, true));
  });
});

/** The unary operators as pairs whose second operand is not used. */
function unaryPairs(round: (v: number) => number): Record<string, (a: number, b: number) => number> {
  return Object.fromEntries(Object.entries(unary).map(([op, f]) => [op, (a: number) => round(f(a))]));
}

function binaryOf<A extends "i32" | "f32" | "f64", R extends ValueType>(
  op: string,
  instruction: (a: Value<A>, b: Value<A>) => Value<R>,
  from: A,
  to: R,
): NamedFunction<{ readonly a: A; readonly b: A }> {
  return wasmFunction<{ readonly a: A; readonly b: A }>(
    op,
    { a: from, b: from },
    ({ a, b }) => returns(instruction(a, b)),
    to,
  );
}

describe("vector instructions", () => {
  it("compute in four lanes of f32 as JavaScript does, rounded", () => {
    const values = special.map(Math.fround);
    const lanes = (op: (a: Value<"v128">, b: Value<"v128">) => Value<"v128">) => (a: number, b: number) =>
      runOn(floats([1, a, 2, 3, 4, b, 5, 6], 4), () => v128.store(32, op(v128.load(0), v128.load(16))));
    for (const [name, f] of Object.entries({ ...arithmetic, ...pseudo })) {
      const run = pairRunner(name, f32x4, "f32");
      for (const a of values)
        for (const b of values) {
          assert.ok(
            Object.is(run(a, b), Math.fround(f(a, b))),
            `f32x4.${name}(${a}, ${b}) must be ${f(a, b)}, is ${run(a, b)}`,
          );
        }
    }
    for (const [name, f] of Object.entries(compare)) {
      const run = pairRunner(name, f32x4, "i32");
      for (const a of values)
        for (const b of values) assert.equal(run(a, b), f(a, b) ? -1 : 0, `f32x4.${name}(${a}, ${b})`);
    }
    for (const [name, f] of Object.entries(unary)) {
      const run = pairRunner(name, f32x4, "f32");
      for (const a of values) assert.ok(Object.is(run(a, 0), Math.fround(f(a))), `f32x4.${name}(${a})`);
    }
    assert.equal(lanes((a) => f32x4.nearest(a))(2.5, 0).getFloat32(36, true), 2);
  });

  it("compute in two lanes of f64 as JavaScript does", () => {
    for (const [name, f] of Object.entries({ ...arithmetic, ...pseudo })) {
      const run = pairRunner(name, f64x2, "f64");
      for (const a of special)
        for (const b of special) assert.ok(Object.is(run(a, b), f(a, b)), `f64x2.${name}(${a}, ${b})`);
    }
    for (const [name, f] of Object.entries(compare)) {
      const run = pairRunner(name, f64x2, "i64");
      for (const a of special)
        for (const b of special) assert.equal(run(a, b), f(a, b) ? -1 : 0, `f64x2.${name}(${a}, ${b})`);
    }
    for (const [name, f] of Object.entries(unary)) {
      const run = pairRunner(name, f64x2, "f64");
      for (const a of special) assert.ok(Object.is(run(a, 0), f(a)), `f64x2.${name}(${a})`);
    }
    assert.equal(pairRunner("nearest", f64x2, "f64")(3.5, 0), 4);
  });

  it("multiply and add in one instruction, where the engine has it, as in two where the product is exact", (t) => {
    if (!hasRelaxedMadd()) return t.skip("this engine has no f64x2.relaxed_madd");
    const values = special.map(Math.fround);
    for (const a of values) {
      for (const b of values) {
        for (const c of [0, -0, 1e-300, -1.5, 1 / 3, Infinity, NaN]) {
          const fill = floats([7, a, 8, b, 9, c], 8);
          const view = runOn(fill, () =>
            v128.store(48, f64x2.relaxed_madd(v128.load(0), v128.load(16), v128.load(32))),
          );
          assert.ok(Object.is(view.getFloat64(56, true), a * b + c), `${a} * ${b} + ${c}`);
        }
      }
    }
  });

  it("keep locals of several types apart, and write constants of each", () => {
    const view = runOn(
      () => {},
      (local) => {
        const [n, x, y] = [local("i32"), local("f64"), local("f32")];
        return [
          ...[n.set(16), x.set(f64.const(0.1)), y.set(f32.const(2.5))],
          ...[f64.store(n, x), f32.store(n, y, 8), i32.store(n, i32.const(-7), 12)],
        ];
      },
    );
    assert.deepEqual([view.getFloat64(16, true), view.getFloat32(24, true), view.getInt32(28, true)], [0.1, 2.5, -7]);
  });

  it("load and store whole vectors, splats, low parts and single lanes", () => {
    const view = runOn(floats([1, 2, 3, 4, 5, 6, 7, 8], 4), (local) => {
      const x = local("v128");
      return [
        x.set(v128.load(0, 4)),
        v128.store(64, x),
        v128.store(80, v128.load32_splat(8)),
        v128.store(96, v128.load64_splat(8)),
        v128.store(112, v128.load32_zero(8)),
        v128.store(128, v128.load64_zero(8)),
        v128.store32_lane(144, x, 2),
        v128.store64_lane(144, x, 1, 8),
        v128.store(160, v128.zero()),
        v128.store64_lane(176, x, 0),
      ];
    });
    const four = (at: number) => [0, 4, 8, 12].map((i) => view.getFloat32(at + i, true));
    assert.deepEqual([64, 80, 96, 112, 128, 144, 160, 176].map(four), [
      [2, 3, 4, 5],
      [3, 3, 3, 3],
      [3, 4, 3, 4],
      [3, 0, 0, 0],
      [3, 4, 0, 0],
      [4, 0, 4, 5],
      [0, 0, 0, 0],
      [2, 3, 0, 0],
    ]);
  });

  it("shuffle, select, splat, extract and convert", () => {
    const view = runOn(floats([1.5, -2.5, 3.5, 0.1, 5, 6, 7, 8], 4), (local) => {
      const [a, b, mask] = [local("v128"), local("v128"), local("v128")];
      return [
        a.set(v128.load(0)),
        b.set(v128.load(16)),
        v128.store(64, i8x16.shuffle(a, b, [4, 5, 6, 7, 20, 21, 22, 23, 0, 1, 2, 3, 16, 17, 18, 19])),
        mask.set(f32x4.lt(a, f32x4.splat(1))),
        v128.store(80, v128.bitselect(a, b, mask)),
        v128.store(96, f32x4.splat(f32x4.extract_lane(b, 3))),
        v128.store(
          112,
          f32x4.demote_f64x2_zero(
            f64x2.promote_low_f32x4(i8x16.shuffle(a, a, [12, 13, 14, 15, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5, 6, 7])),
          ),
        ),
        v128.store(128, f32x4.convert_i32x4_s(i32x4.splat(-7))),
        f64.store(144, f64x2.extract_lane(f64x2.splat(0.1), 1)),
      ];
    });
    const four = (at: number) => [0, 4, 8, 12].map((i) => view.getFloat32(at + i, true));
    assert.deepEqual([64, 80, 96, 112, 128].map(four), [
      [-2.5, 6, 1.5, 5],
      [5, -2.5, 7, Math.fround(0.1)],
      [8, 8, 8, 8],
      [Math.fround(0.1), 3.5, 0, 0],
      [-7, -7, -7, -7],
    ]);
    assert.equal(view.getFloat64(144, true), 0.1);
  });

  it("compute with integer lanes and bits", () => {
    const fill = (view: DataView): void =>
      [5, -6, 7, -8, 3, -6, -1, 2].forEach((v, i) => view.setInt32(4 * i, v, true));
    const [a, b] = [v128.load(0), v128.load(16)];
    const results = [
      i32x4.add(a, b),
      i32x4.sub(a, b),
      i32x4.mul(a, b),
      i32x4.eq(a, b),
      i32x4.ne(a, b),
      i32x4.lt_s(a, b),
      i32x4.gt_s(a, b),
      i32x4.shl(a, 2),
      i32x4.shr_s(a, 1),
      i32x4.shr_u(a, 31),
      v128.and(a, b),
      v128.or(a, b),
      v128.xor(a, b),
      v128.andnot(a, b),
      v128.not(a),
    ];
    const tests = [
      i32x4.all_true(a),
      i32x4.all_true(i32x4.eq(a, b)),
      v128.any_true(i32x4.eq(a, b)),
      i32x4.bitmask(a),
      i32x4.extract_lane(a, 3),
    ];
    const view = runOn(fill, () => [
      results.map((value, i) => v128.store(64 + 16 * i, value)),
      tests.map((value, i) => i32.store(512 + 4 * i, value)),
    ]);
    const x = [5, -6, 7, -8];
    const y = [3, -6, -1, 2];
    const expected = [
      (p: number, q: number) => p + q,
      (p: number, q: number) => p - q,
      Math.imul,
      (p: number, q: number) => -Number(p === q),
      (p: number, q: number) => -Number(p !== q),
      (p: number, q: number) => -Number(p < q),
      (p: number, q: number) => -Number(p > q),
      (p: number) => p << 2,
      (p: number) => p >> 1,
      (p: number) => p >>> 31,
      (p: number, q: number) => p & q,
      (p: number, q: number) => p | q,
      (p: number, q: number) => p ^ q,
      (p: number, q: number) => p & ~q,
      (p: number) => ~p,
    ];
    expected.forEach((f, i) => {
      assert.deepEqual(
        [0, 4, 8, 12].map((at) => view.getInt32(64 + 16 * i + at, true)),
        x.map((p, lane) => f(p, y[lane]) + 0),
        `result ${i}`,
      );
    });
    assert.deepEqual(
      [0, 4, 8, 12, 16].map((at) => view.getInt32(512 + at, true)),
      [1, 0, 1, 0b1010, -8],
    );
  });

  it("compute with lanes of 64 bits", () => {
    const fill = (view: DataView): void => [5n, -6n, 3n, -6n].forEach((v, i) => view.setBigInt64(8 * i, v, true));
    const [a, b] = [v128.load(0), v128.load(16)];
    const results = [
      i64x2.add(a, b),
      i64x2.sub(a, b),
      i64x2.mul(a, b),
      i64x2.eq(a, b),
      i64x2.shl(a, 40),
      i64x2.shr_s(a, 1),
      i64x2.shr_u(a, 63),
    ];
    const view = runOn(fill, () => results.map((value, i) => v128.store(64 + 16 * i, value)));
    assert.deepEqual(
      results.map((_, i) => [view.getBigInt64(64 + 16 * i, true), view.getBigInt64(72 + 16 * i, true)]),
      [
        [8n, -12n],
        [2n, 0n],
        [15n, 36n],
        [0n, -1n],
        [5n << 40n, -6n << 40n],
        [2n, -3n],
        [0n, 1n],
      ],
    );
  });

  it("copy and fill runs of memory", () => {
    const view = runOn(floats([1, 2, 3, 4], 4), () => [memory.copy(4, 0, 12), memory.fill(32, 255, 3)]);
    assert.deepEqual(
      [0, 4, 8, 12].map((at) => view.getFloat32(at, true)),
      [1, 1, 2, 3],
    );
    assert.deepEqual([view.getInt32(32, true), view.getInt32(36, true)], [0xffffff, 0]);
  });
});

/** A function that applies the vector instruction `op` to vectors whose second lanes are a and b, and reads that lane. */
function pairRunner(
  op: string,
  table: object,
  result: "f32" | "i32" | "f64" | "i64",
): (a: number, b: number) => number {
  const instruction: unknown = Object.entries(table).find(([key]) => key === op)?.[1];
  assert.ok(typeof instruction === "function", op);
  const bytes = result === "f64" || result === "i64" ? 8 : 4;
  const { memory, run } = start(wasmFunction("f", {}, () => v128.store(32, instruction(v128.load(0), v128.load(16)))));
  return (a, b) => {
    floats(bytes === 4 ? [1, a, 2, 3, 4, b, 5, 6] : [1, a, 2, b], bytes)(memory);
    run("f");
    if (result === "f32") return memory.getFloat32(36, true);
    if (result === "i32") return memory.getInt32(36, true);
    return result === "f64" ? memory.getFloat64(40, true) : Number(memory.getBigInt64(40, true));
  };
}
