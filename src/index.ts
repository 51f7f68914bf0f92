/**
 * Touchstone: a reference implementation of residual networks. Everything that users import comes from here.
 *
 * @module
 */
// tensors
export { Arena } from "./tensor/arena.js";
export type { DType, FloatArray } from "./tensor/dtype.js";
export type { Shape, SymbolicShape } from "./tensor/shape.js";
export {
  cast,
  contiguous,
  copyInto,
  detach,
  dtypeOf,
  reshape,
  type Tensor,
  tensor,
  tensorOf,
  zeros,
} from "./tensor/tensor.js";

// arithmetic
export { cos, sin } from "./arithmetic/cosine.js";
export { exp } from "./arithmetic/exp.js";
export { log } from "./arithmetic/log.js";
export { type RandomStream, randomStream } from "./arithmetic/random.js";
export { sigmoid } from "./arithmetic/sigmoid.js";
export { tanh } from "./arithmetic/tanh.js";

// kernels, each with the naive loops that define its bits
export { conv2D, conv2DNaive } from "./kernels/conv2d.js";
export {
  conv2DInputGradient,
  conv2DInputGradientNaive,
  conv2DKernelGradient,
  conv2DKernelGradientNaive,
} from "./kernels/conv2d-gradients.js";
export {
  depthwiseConv2D,
  depthwiseConv2DInputGradient,
  depthwiseConv2DInputGradientNaive,
  depthwiseConv2DKernelGradient,
  depthwiseConv2DKernelGradientNaive,
  depthwiseConv2DNaive,
} from "./kernels/depthwise.js";
export {
  type Accumulate,
  createExecution,
  type Execution,
  type ExecutionOptions,
  type KernelPath,
  type OwnedExecution,
  serial,
} from "./kernels/execution.js";
export { gemm, gemmNaive } from "./kernels/gemm.js";
export { col2im, im2col } from "./kernels/im2col.js";
export type { ChannelMap, Epilogue, Prologue } from "./kernels/normalize.js";
export type { GradientOptions } from "./kernels/normalize-gradients.js";
export { type Padding, type Pair, type Window2D, window2D } from "./kernels/window.js";

// initializers and regularizers
export {
  type InitializerConfig,
  initialize,
  initializerFromConfig,
  initializerToConfig,
} from "./initializers/initializer.js";
export * as initializers from "./initializers/initializers.js";
export type { FanMode, ScalingDistribution } from "./initializers/variance-scaling.js";
export { l1, l1l2, l2, type Regularizer, type RegularizerOption } from "./regularizers/regularizer.js";

// the layer contract
export {
  type ApplyOptions,
  type BackwardOptions,
  type CallContext,
  type Finish,
  type Forward,
  inference,
  Layer,
  type LayerGradients,
  type LayerNode,
  type LayerOptions,
  type LayerPass,
  type SymbolicTensor,
  type WeightValues,
} from "./layers/layer.js";
export { Variable, type VariableSpec } from "./layers/variable.js";
export type { KerasConfig } from "./serialization/config.js";

// layers: Keras's classes, and the pairs of functions under them
export { Activation, type ActivationName, type ActivationOptions } from "./layers/activation.js";
export { Add, addBackward, type AddCache, addForward } from "./layers/add.js";
export * from "./layers/average-pooling2d.js";
export * from "./layers/batch-normalization.js";
export type { BatchNormalizationOptions } from "./layers/normalization-options.js";
export * from "./layers/concatenate.js";
export * from "./layers/conv2d.js";
export * from "./layers/dense.js";
export * from "./layers/depthwise-conv2d.js";
export * from "./layers/dropout.js";
export * from "./layers/flatten.js";
export * from "./layers/global-average-pooling2d.js";
export * from "./layers/global-max-pooling2d.js";
export type { GlobalPooling2DOptions } from "./layers/global-pooling2d.js";
export { InputLayer, type InputOptions, input } from "./layers/input-layer.js";
export type { KernelOptions } from "./layers/kernel-options.js";
export * from "./layers/leaky-relu.js";
export * from "./layers/max-pooling2d.js";
export type { Pooling2DConfig, Pooling2DOptions } from "./layers/pooling2d.js";
export * from "./layers/relu.js";
export * from "./layers/rescaling.js";
export * from "./layers/reshape.js";
export * from "./layers/sigmoid.js";
export * from "./layers/softmax.js";
export * from "./layers/tanh.js";
export type { ConvolutionMoveOptions, ConvolutionMoves } from "./layers/window-shape.js";
export * from "./layers/zero-padding2d.js";

// losses
export * from "./losses/categorical-crossentropy.js";
export type { LossForward } from "./losses/loss.js";
export * from "./losses/mean-squared-error.js";
export * from "./losses/sparse-categorical-crossentropy.js";

// optimizers: Keras's classes, and the step of each
export {
  Adam,
  type AdamClassOptions,
  type AdamOptions,
  type AdamState,
  adamState,
  adamStep,
} from "./optimizers/adam.js";
export { AdamW, adamWStep } from "./optimizers/adamw.js";
export { optimizerFromConfig, serializeOptimizer } from "./optimizers/from-config.js";
export {
  Optimizer,
  type OptimizerClassOptions,
  type OptimizerOptions,
  type OptimizerVariable,
  type Step,
  type Update,
} from "./optimizers/optimizer.js";
export { SGD, type SGDClassOptions, type SGDOptions, type SGDState, sgdState, sgdStep } from "./optimizers/sgd.js";

// models
export { ResNet50, ResNet101, ResNet152, type ResNetOptions } from "./models/applications/resnet.js";
export { ResNet50V2, ResNet101V2, ResNet152V2 } from "./models/applications/resnet-v2.js";
export {
  type ClassPrediction,
  decodePredictions,
  type PreprocessMode,
  preprocessInput,
} from "./models/applications/imagenet-utils.js";
export { type FromConfigOptions, modelFromConfig } from "./models/from-config.js";
export { Model, type ModelOptions, type WeightPlace } from "./models/model.js";
export type { LossName } from "./models/objective.js";
export type { ForwardOptions, ModelGradients, ModelPass, OutputGradient, Wanted } from "./models/passes.js";
export { plotModel } from "./models/plot.js";
export {
  createPredictor,
  type PredictOptions,
  type Predictor,
  type PredictorOptions,
  predict,
} from "./models/predict.js";
export { type CifarResNetOptions, type ResNetLayerOptions, resnetLayer, resnetV1 } from "./models/resnet-v1.js";
export { resnetV2 } from "./models/resnet-v2.js";
export { Sequential, type SequentialOptions } from "./models/sequential.js";
export { type SummaryOptions, summary } from "./models/summary.js";
export { type Trace, type TraceOptions, trace } from "./models/trace.js";

// files
export type { ElementArray, ElementType } from "./formats/elements.js";
export { FormatError } from "./formats/format-error.js";
export { type NpyArray, readNpy, writeNpy } from "./formats/npy.js";
export { readNpz, writeNpz } from "./formats/npz.js";
export { loadWeights, readLoss, readModel, readTraining } from "./formats/read-model.js";
export { fromTensor, toTensor } from "./formats/tensors.js";
export type { Training } from "./formats/training-config.js";
export { writeModel, type WriteModelOptions } from "./formats/write-model.js";
export type { ZipReadOptions } from "./formats/zip.js";
export type { ZipWriteOptions } from "./formats/zip-writer.js";

// training: data
export { loadData, type DataOptions } from "./training/data-loader.js";
export type { Cifar10Archive } from "./training/data/cifar10-download.js";
export {
  dataset,
  type Dataset,
  type DataSplit,
  type ImageShape,
  splitForValidation,
  subset,
} from "./training/dataset.js";
export {
  type Preprocessing,
  preprocessingFor,
  preprocessingLike,
  type PreprocessingOptions,
  readPreprocessing,
  writePreprocessing,
} from "./training/preprocessing.js";
export type { Augmentation } from "./training/augmentation.js";
export type { FillMode } from "./training/taps.js";
export { type Batch, type BatchOptions, type BatchSource, batchSource } from "./training/batches.js";

// training: the loop, and who listens to it
export { type Evaluation, type EvaluateOptions, evaluate } from "./training/evaluate.js";
export { type Checkpointing, fit, type FitOptions, type FitResult } from "./training/fit.js";
export type { TrainingState } from "./training/state.js";
export { trainStep, type TrainStepOptions } from "./training/train-step.js";
export { createTrainer, type Trainer, type TrainerOptions } from "./training/trainer.js";
export type { BatchMetrics, MetricSums } from "./training/metrics.js";
export { type NonFinite, NonFiniteError } from "./training/non-finite.js";
export type { Callback, CallbackState, EpochRecord, StepRecord, TrainingRun } from "./training/callback.js";
export { EarlyStopping, type EarlyStoppingOptions } from "./training/callbacks/early-stopping.js";
export {
  LearningRateScheduler,
  type LearningRateSchedulerOptions,
} from "./training/callbacks/learning-rate-scheduler.js";
export { CSVLog, JsonLinesLog, type LogFile } from "./training/callbacks/logs.js";
export type { Monitored, MonitorOptions } from "./training/callbacks/monitor.js";
export { ModelCheckpoint, type ModelCheckpointOptions } from "./training/callbacks/model-checkpoint.js";
export { ReduceLROnPlateau, type ReduceLROnPlateauOptions } from "./training/callbacks/reduce-lr-on-plateau.js";
export {
  type CosineOptions,
  cosineSchedule,
  type OneCycleOptions,
  oneCycleSchedule,
  originalSchedule,
  type Schedule,
} from "./training/schedules.js";
export { checkpointFile, type CheckpointFileOptions } from "./training/checkpoint-file.js";
export { type CheckpointParts, type Fingerprint, readCheckpoint, writeCheckpoint } from "./training/checkpoint.js";
export { weightsSha256 } from "./training/digest.js";
