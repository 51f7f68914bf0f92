/**
 * How a kernel walks through a band of depthwise convolution (`depthwise-bands.ts`): row by row, in a row strip by strip, and in a
 * strip four pixels at a time, which share what is loaded for them.
 *
 * @module
 */
import type { Body, Local } from "../../assembly/code.js";
import { doWhile, when, whileLoop } from "../../assembly/control.js";
import { i32 } from "../../assembly/instructions.js";
import { STRIP_BYTES } from "./depthwise-bands.js";

/** Pixels at a time. */
export const PIXELS = 4;

/** What a kernel is told of a band. All of it is changed. */
interface BandParameters {
  /** The tables of the strips, at least one, and their end. */
  readonly strips: Local<"i32">;
  readonly end: Local<"i32">;
  /** Rows, at least 1. */
  readonly rows: Local<"i32">;
  /** The first row of the image that is seen through taps, and bytes from there to the next one, and from one window to the next. */
  readonly source: Local<"i32">;
  readonly sourceRow: Local<"i32">;
  readonly sourceStep: Local<"i32">;
  /** The same of the image that has a pixel for each window. */
  readonly other: Local<"i32">;
  readonly otherRow: Local<"i32">;
  readonly otherStep: Local<"i32">;
}

/** Where the walk is: the table of runs begins and ends there, and the next pixels of both images are. */
export interface BandPlace {
  readonly table: Local<"i32">;
  readonly tableEnd: Local<"i32">;
  /** The taps of a run. */
  readonly runTaps: Local<"i32">;
  readonly source: Local<"i32">;
  readonly other: Local<"i32">;
}

/** Adds `bytes` to a pointer. */
export function advance(pointer: Local<"i32">, bytes: Local<"i32"> | number): Body {
  return pointer.set(i32.add(pointer, bytes));
}

/** Walks through a band; `pixels` computes some of them, where the walk is. */
export function walkBand(
  p: BandParameters,
  local: (type: "i32") => Local<"i32">,
  pixels: (count: number, place: BandPlace) => Body,
): Body {
  const [strip, table, tableEnd, runTaps, left, source, other] = Array.from({ length: 7 }, () => local("i32"));
  const some = (count: number): Body => [
    pixels(count, { table, tableEnd, runTaps, source, other }),
    source.set(i32.add(source, i32.mul(p.sourceStep, count))),
    other.set(i32.add(other, i32.mul(p.otherStep, count))),
    left.set(i32.sub(left, count)),
  ];
  const ofStrip = [
    [table, tableEnd, runTaps, left, source, other].map((value, i) => value.set(i32.load(strip, 4 * i))),
    source.set(i32.add(source, p.source)),
    other.set(i32.add(other, p.other)),
    whileLoop(i32.ge_s(left, PIXELS), some(PIXELS)),
    when(i32.ge_s(left, 2), some(2)),
    when(left, some(1)),
    advance(strip, STRIP_BYTES),
  ];
  return doWhile(
    [
      strip.set(p.strips),
      doWhile(ofStrip, i32.ne(strip, p.end)),
      advance(p.source, p.sourceRow),
      advance(p.other, p.otherRow),
      p.rows.set(i32.sub(p.rows, 1)),
    ],
    p.rows,
  );
}
