/**
 * `touchstone/oracle`: derived bounds, judgement, gradient checks and the conformance kit.
 *
 * @module
 */
export {
  type ArithmeticModel,
  BFLOAT16_INPUTS,
  FLOAT16_INPUTS,
  FLOAT16_STORAGE,
  FLOAT32,
  type FunctionErrors,
  MODELS,
  type NumberFormat,
  TF32_INPUTS,
  withFlush,
  withWgslFunctions,
} from "./arithmetic-model.js";
export { type Expectation, gamma, type Total } from "./expectation.js";
export { type Element, type Judgement, judgeTensor } from "./judgement.js";
export type { Operands, Operation } from "./operation.js";
export { OPERATIONS, operationNamed } from "./operations/table.js";
export { DATA_SETS, type DataSet, type Place } from "./data-sets.js";
export { Draw } from "./draw.js";

// whole traces
export { describeJudgement, describeTrace } from "./report.js";
export { judgeTrace } from "./trace-judgement.js";
export type { TraceJudgementOptions } from "./trace-arguments.js";
export type { TensorVerdict, TraceJudgement } from "./trace-verdict.js";

// what went wrong
export { type Cause, describeDiagnosis, diagnose, type Diagnosis } from "./diagnosis.js";
export type { Difference } from "./difference.js";
export type { OperationCase, WrongCase } from "./operation-case.js";
export { judgeCommandLine, minimalReproduction } from "./reproduction.js";

// the conformance kit
export type {
  Backend,
  BackendOperation,
  BackendResults,
  PlainResult,
  PlainTensor,
} from "./conformance/backend.js";
export { type CheckOptions, checkBackend } from "./conformance/check-backend.js";
export { fromPlain, type PlainNumber } from "./conformance/plain-numbers.js";
export {
  conforms,
  type Failures,
  type Finding,
  formatReport,
  mergeReports,
  missingShards,
  type OperationReport,
  type Report,
} from "./conformance/report.js";
export {
  type Reproduction,
  type ReportTensor,
  reproductionSnippet,
  writeReproduction,
} from "./conformance/reproduction.js";
export type { Fault } from "./conformance/trial.js";

// gradients
export * from "./gradient-check.js";
export * from "./model-gradient-check.js";
export * from "./numeric-derivative.js";

// what the oracle is watched with
export { honestBackends } from "./mutations/honest.js";
export { type Compute, type Mutant, mutantBackend } from "./mutations/mutant.js";
export { MUTANTS } from "./mutations/mutants.js";
