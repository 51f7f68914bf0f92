/**
 * All operations, by name.
 *
 * @module
 */
import type { Operation } from "../operation.js";
import { addBackwardOperation, addOperation } from "./add.js";
import { averagePooling2dOperations } from "./average-pooling2d.js";
import { concatenateBackwardOperation, concatenateOperation } from "./concatenate.js";
import { conv2dOperations } from "./conv2d.js";
import { denseOperations } from "./dense.js";
import { depthwiseConv2dOperations } from "./depthwise-conv2d.js";
import { globalAveragePooling2dOperations } from "./global-average-pooling2d.js";
import { globalMaxPooling2dOperations } from "./global-max-pooling2d.js";
import { maxPooling2dOperations } from "./max-pooling2d.js";
import { flattenOperations, reshapeOperations, zeroPadding2dOperations } from "./moves.js";
import { nonlinearOperations } from "./nonlinear.js";
import { rescalingOperations } from "./rescaling.js";

const ALL: readonly Operation[] = [
  ...conv2dOperations,
  ...depthwiseConv2dOperations,
  ...denseOperations,
  ...averagePooling2dOperations,
  ...globalAveragePooling2dOperations,
  ...maxPooling2dOperations,
  ...globalMaxPooling2dOperations,
  addOperation,
  addBackwardOperation,
  concatenateOperation,
  concatenateBackwardOperation,
  ...rescalingOperations,
  ...zeroPadding2dOperations,
  ...flattenOperations,
  ...reshapeOperations,
  ...nonlinearOperations,
];

/** The operations by name. */
export const OPERATIONS: ReadonlyMap<string, Operation> = new Map(ALL.map((operation) => [operation.name, operation]));

/**
 * The operation `name`.
 *
 * @throws RangeError when there is none.
 */
export function operationNamed(name: string): Operation {
  const operation = OPERATIONS.get(name);
  if (operation !== undefined) return operation;
  throw new RangeError(
    `operationNamed: \`name\` must be one of ${[...OPERATIONS.keys()].join(", ")}. Received ${JSON.stringify(name)}.`,
  );
}
