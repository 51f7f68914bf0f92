/**
 * All operations, by name.
 *
 * @module
 */
import type { Operation } from "../operation.js";
import { addBackwardOperation, addOperation } from "./add.js";
import { averagePooling2dBackwardOperation, averagePooling2dOperation } from "./average-pooling2d.js";
import { concatenateBackwardOperation, concatenateOperation } from "./concatenate.js";
import { conv2dBackwardOperation, conv2dOperation } from "./conv2d.js";
import { denseBackwardOperation, denseOperation } from "./dense.js";
import { depthwiseConv2dBackwardOperation, depthwiseConv2dOperation } from "./depthwise-conv2d.js";
import {
  globalAveragePooling2dBackwardOperation,
  globalAveragePooling2dOperation,
} from "./global-average-pooling2d.js";
import { globalMaxPooling2dBackwardOperation, globalMaxPooling2dOperation } from "./global-max-pooling2d.js";
import { maxPooling2dBackwardOperation, maxPooling2dOperation } from "./max-pooling2d.js";
import { flattenOperations, reshapeOperations, zeroPadding2dOperations } from "./moves.js";
import { nonlinearOperations } from "./nonlinear.js";
import { rescalingBackwardOperation, rescalingOperation } from "./rescaling.js";

const ALL: readonly Operation[] = [
  conv2dOperation,
  conv2dBackwardOperation,
  depthwiseConv2dOperation,
  depthwiseConv2dBackwardOperation,
  denseOperation,
  denseBackwardOperation,
  averagePooling2dOperation,
  averagePooling2dBackwardOperation,
  globalAveragePooling2dOperation,
  globalAveragePooling2dBackwardOperation,
  maxPooling2dOperation,
  maxPooling2dBackwardOperation,
  globalMaxPooling2dOperation,
  globalMaxPooling2dBackwardOperation,
  addOperation,
  addBackwardOperation,
  concatenateOperation,
  concatenateBackwardOperation,
  rescalingOperation,
  rescalingBackwardOperation,
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
