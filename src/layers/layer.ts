/**
 * The contract that every layer file keeps.
 *
 * A layer is two pure functions, next to each other under their equations,
 *
 *     xForward(inputs, weights, config)  ->  { y, cache }
 *     xBackward(dy, cache)               ->  { dx, dKernel, ... }
 *
 * and below them a class with Keras's name, which holds configuration and weights, infers shapes, and joins the pair for
 * the graph: {@link Layer.call} returns the output together with a closure that runs backward on the cache.
 *
 * @module
 */
import { type Execution, serial } from "../kernels/execution.js";
import type { ChannelMap, Epilogue, Prologue } from "../kernels/normalize.js";
import type { DType, FloatArray } from "../tensor/dtype.js";
import { formatShape, shapesAgree, type SymbolicShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { type KerasConfig, readConfig } from "../serialization/config.js";
import { expectOptions } from "../serialization/options.js";
import { symbolicTensors } from "./symbolic.js";
import { Variable, type VariableSpec } from "./variable.js";

/** What a forward pass returns: its output, and the values its backward pass will need. */
export interface Forward<Cache> {
  /** The output. */
  readonly y: Tensor;
  /** Handed unchanged to the matching backward call. */
  readonly cache: Cache;
}

/** How a layer is called: the same for all layers of one pass. */
export interface CallContext {
  /** Training mode: batch statistics, and dropout. */
  readonly training: boolean;
  /** Threads and accumulation. */
  readonly execution: Execution;
  /** Seed of what is random in a call (dropout). */
  readonly seed: number;
  /** Number of the training step; with the seed it addresses random numbers. */
  readonly step: number;
  /** Where {@link step} stands for jobs to read it, if what they do runs again in other steps. */
  readonly stepInMemory?: FloatArray;
  /** The inner models around the layer, each followed by a slash. @defaultValue none */
  readonly path?: string;
  /** Which application of the layer within its model it is. @defaultValue 0 */
  readonly application?: number;
  /** New values of weights that earlier calls of this pass have changed: a layer applied twice changes them twice. */
  readonly pending?: ReadonlyMap<Variable, Tensor>;
  /** Where there is no way back: takes memory of the layer's own that nobody will read any more. */
  readonly release?: ((data: FloatArray) => void) | undefined;
}

/** Inference on one thread. */
export const inference: CallContext = { training: false, execution: serial, seed: 0, step: 0 };

/** Where in the outermost model a call of `layer` is: what is random in a call is addressed by it. */
export function callPath(
  layer: { readonly name: string },
  { path = "", application = 0 }: Pick<CallContext, "path" | "application">,
): string {
  return `${path}${layer.name}${application === 0 ? "" : `:${application}`}`;
}

/** What is wanted of the way back through a layer. */
export interface BackwardOptions {
  /** Whether the gradients for the inputs are; where not, a layer may leave them out. @defaultValue true */
  readonly inputs?: boolean;
  /** Another term of the gradient for the first input. A layer that can adds it on the way: 0 + dx + addend. */
  readonly addend?: Tensor | undefined;
}

/** Tensors by Keras weight name. */
export type WeightValues = Readonly<Record<string, Tensor>>;

/** Gradients of the loss for what one call of a layer read. */
export interface LayerGradients {
  /** For every input, in order. */
  readonly dInputs: readonly Tensor[];
  /** Whether the first of them has been added to {@link BackwardOptions.addend}. @defaultValue false */
  readonly isSum?: boolean;
  /** For every trainable weight, by Keras's name; fresh tensors. */
  readonly dWeights: WeightValues;
}

/**
 * What some layers do to a tensor, element by element, that the layer before them can do as well before it stores its
 * own output, in this order: normalize channels by numbers that are known beforehand, which those of a batch are not;
 * add another tensor; take max(., 0).
 */
export const FINISHES = ["normalize", "add", "rectify"] as const;

/** What a layer may do for the one behind it, in the order in which it does so: see {@link Layer.firstFinishes}. */
export type Finish = (typeof FINISHES)[number];

/** One call of a layer: its output, and its way back. */
export interface LayerPass {
  /** The output. */
  readonly y: Tensor;
  /** New values of weights that the call would change (moving statistics); the caller decides when. */
  readonly updates?: ReadonlyMap<Variable, Tensor>;
  /** The gradients, given `dy`, the derivative of the loss for `y`. */
  backward(dy: Tensor, options?: BackwardOptions): LayerGradients;
  /** The same, given the terms of dy where several layers read y: for layers that can add them on the way. */
  backwardOfTerms?(terms: readonly Tensor[], options?: BackwardOptions): LayerGradients;
  /** What y still lacks: its one reader does that to what it reads. See {@link Layer.callAhead}. @defaultValue nothing */
  readonly prologue?: Prologue;
  /** Which of the inputs and the output backward reads. @defaultValue all */
  readonly keeps?: readonly Tensor[];
  /**
   * Where y is a softmax: what it was taken of, and the gradients given the derivative for that. Cross-entropy then need
   * not go through probabilities, whose rounding would be magnified where they are small.
   */
  readonly logits?: { readonly x: Tensor; backward(dx: Tensor, options?: BackwardOptions): LayerGradients };
}

/** A tensor of the graph before any numbers: what a layer applied to other such tensors will give. */
export interface SymbolicTensor {
  /** The shape; the batch dimension is usually null. */
  readonly shape: SymbolicShape;
  /** The application of a layer that makes it. */
  readonly node: LayerNode;
}

/** One application of a layer. A layer applied twice has two nodes that share its weights. */
export interface LayerNode {
  /** The layer. */
  readonly layer: Layer;
  /** What it is applied to. */
  readonly inputs: readonly SymbolicTensor[];
  /** Which application of this layer it is, from 0. */
  readonly index: number;
  /** The mode that the author gave to this application; see {@link ApplyOptions}. */
  readonly training: boolean | undefined;
  /** What it gives. */
  readonly output: SymbolicTensor;
}

/** What an author may say of one application of a layer. */
export interface ApplyOptions {
  /**
   * Keras's `layer(x, training=False)`. Keras 3 keeps it in files, but goes by it only where the model is called without
   * a mode: in fit, evaluate and predict every layer runs in the mode of the pass. So it is here: kept, without effect.
   */
  readonly training?: boolean | undefined;
}

/** Options that every layer takes. */
export interface LayerOptions {
  /** Unique within a model. By default the model numbers the layers of a class: `conv2d`, `conv2d_1`, ... */
  readonly name?: string | undefined;
  /** Whether the weights are trained; false also keeps batch normalization in inference mode. @defaultValue true */
  readonly trainable?: boolean | undefined;
  /** Element type of weights and outputs. @defaultValue "float32" */
  readonly dtype?: DType | undefined;
}

let created = 0;

/** What all layers share: name, weights, and application to symbolic tensors. */
export abstract class Layer {
  /** The Keras class. */
  abstract readonly className: string;
  /** Order of creation, by which a model numbers unnamed layers. */
  readonly serial: number = created++;
  /** Element type of weights and outputs. */
  readonly dtype: DType;
  /** Every application so far. */
  readonly nodes: LayerNode[] = [];
  #name: string | undefined;
  #trainable: boolean;
  #weights: readonly Variable[] | undefined;

  /**
   * @param own - The names of the class's own options; without them, any are taken.
   * @throws TypeError when `options` is no object, or an option is of another type than {@link LayerOptions} says or none of
   *   the layer's.
   */
  constructor(options: LayerOptions, own?: readonly string[]) {
    const { name } = new.target; // fields of the class are not there yet
    if (own !== undefined) expectOptions(name, options ?? {}, [...own, "name", "trainable", "dtype"]);
    const read = readConfig(name, { ...options });
    this.#name = read.optionalString("name");
    this.#trainable = read.boolean("trainable", true);
    this.dtype = read.dtype("dtype");
  }

  /** The name, or undefined as long as neither the author nor a model has given one. */
  get givenName(): string | undefined {
    return this.#name;
  }

  /** The name; before a model has given one, the class. */
  get name(): string {
    return this.#name ?? this.className;
  }

  /** Gives the name, once: an author's name is never replaced. */
  set name(name: string) {
    this.#name ??= name;
  }

  /** Whether the weights are trained. */
  get trainable(): boolean {
    return this.#trainable;
  }

  set trainable(trainable: boolean) {
    this.#trainable = trainable;
  }

  /** The weights in Keras's order; none before the layer is first applied. */
  get weights(): readonly Variable[] {
    return this.#weights ?? [];
  }

  /** The weights that have gradients now. */
  get trainableWeights(): readonly Variable[] {
    return this.trainable ? this.weights.filter((weight) => weight.trainable) : [];
  }

  /**
   * The layer as a node of a graph: checks the input shapes, makes the weights on first use, and later checks that they
   * fit these inputs too.
   *
   * @throws TypeError when `inputs` are no symbolic tensors, or an option is none of {@link ApplyOptions}.
   * @throws RangeError when the layer cannot take inputs of these shapes.
   */
  apply(inputs: SymbolicTensor | readonly SymbolicTensor[], options: ApplyOptions = {}): SymbolicTensor {
    expectOptions(`${this.className}: \`apply\``, options, ["training"]);
    const { training } = options;
    const list = [...symbolicTensors(`${this.className}: must be applied to`, inputs)];
    const shapes = list.map((x) => x.shape);
    const shape = this.computeOutputShape(shapes);
    const specs = this.weightSpecs(shapes);
    if (this.#weights === undefined) this.#weights = specs.map((spec) => new Variable(spec, this.dtype));
    else this.#expectFitting(specs, shapes);
    const node: { -readonly [Key in keyof LayerNode]?: LayerNode[Key] } = {
      layer: this,
      inputs: list,
      index: this.nodes.length,
      training,
    };
    const output: SymbolicTensor = { shape, node: node as LayerNode };
    node.output = output;
    this.nodes.push(output.node);
    return output;
  }

  #expectFitting(specs: readonly VariableSpec[], shapes: readonly SymbolicShape[]): void {
    for (const [i, { name, shape }] of specs.entries()) {
      const weight = this.weights[i];
      if (weight.name === name && shapesAgree(weight.shape, shape)) continue;
      throw new RangeError(
        `${this.className}: must be applied to inputs for which its \`${weight.name}\` has the shape ` +
          `${formatShape(weight.shape)} that it had at first. Received ${shapes.map(formatShape).join(", ")}.`,
      );
    }
  }

  /** The weight of this name. */
  protected weight(name: string): Variable {
    const weight = this.weights.find((candidate) => candidate.name === name);
    if (weight === undefined) throw new Error(`internal: ${this.className}: no weight \`${name}\`.`);
    return weight;
  }

  /**
   * The current values of all weights, by Keras's name; those that this pass has already changed, changed.
   *
   * @throws RangeError when the layer has no weights yet.
   */
  protected values(pending?: ReadonlyMap<Variable, Tensor>): WeightValues {
    if (this.#weights === undefined) {
      throw new RangeError(
        `${this.className}: must be applied to a symbolic tensor, which makes its weights, before it is called. ` +
          "Received a call before that.",
      );
    }
    const values: Record<string, Tensor> = {};
    for (const weight of this.weights) values[weight.name] = pending?.get(weight) ?? weight.value;
    return values;
  }

  /** The weights for inputs of these shapes, in Keras's order. Layers without weights leave it as it is. */
  protected weightSpecs(_inputShapes: readonly SymbolicShape[]): readonly VariableSpec[] {
    return [];
  }

  /**
   * The shape of the output for inputs of these shapes.
   *
   * @throws RangeError when the layer cannot take them.
   */
  abstract computeOutputShape(inputShapes: readonly SymbolicShape[]): SymbolicShape;

  /**
   * Runs forward on `inputs`, contiguous tensors whose shapes {@link computeOutputShape} has accepted.
   *
   * @throws RangeError when the layer has weights, but has not been applied yet.
   */
  abstract call(inputs: readonly Tensor[], context: CallContext): LayerPass;

  /**
   * Whether in inference the layer computes its output in jobs alone, or hands its input on: whatever else it works out follows
   * from shapes and weights. Then the jobs can be run again without it. In training it may compute more, on the calling thread,
   * where it says so (`computeHere` in `parallel/recording.ts`); a step of which something is not told is worked out each time.
   */
  get computesInJobs(): boolean {
    return false;
  }

  /** Whether what the layer gives in inference for one image of a batch depends on the others, or on how many there are. */
  get mixesImages(): boolean {
    return false;
  }

  /** What this layer does, where the layer before it can do it. */
  get finish(): Finish | undefined {
    return undefined;
  }

  /** By what a layer whose {@link finish} is "normalize" does so in inference. */
  channelMap?(context: CallContext): ChannelMap;

  /**
   * Like {@link call}, followed by a ReLU if `rectify`, where the only reader of y can normalize it ({@link takesPrologue}), so
   * that y need not be written to memory and read again: then y is x, and the prologue what makes y of it.
   */
  callAhead?(inputs: readonly Tensor[], context: CallContext, rectify: boolean): LayerPass;

  /** What may be the first that {@link callFinished} does in addition. */
  get firstFinishes(): readonly Finish[] {
    return [];
  }

  /** Whether {@link callFinished} can normalize what it reads without writing that to memory. */
  get takesPrologue(): boolean {
    return false;
  }

  /**
   * Like {@link call}, followed by what `epilogue` says, with the bits of layers of their own; and where the layer takes one,
   * after `prologue`. Gradients are those for what the prologue makes of the inputs, then for what was added. Layers that cannot
   * do this leave it out.
   */
  callFinished?(inputs: readonly Tensor[], context: CallContext, epilogue: Epilogue, prologue?: Prologue): LayerPass;

  /** The arguments of this class as Keras's `get_config` gives them, without what all layers share. */
  protected abstract arguments(): KerasConfig;

  /** Keras's `get_config()`. */
  getConfig(): KerasConfig {
    const dtype = { module: "keras", class_name: "DTypePolicy", config: { name: this.dtype }, registered_name: null };
    return { name: this.name, trainable: this.trainable, dtype, ...this.arguments() };
  }
}

/**
 * The one input shape of a layer that takes one input, checked for its rank.
 *
 * @throws RangeError when there are several inputs or the rank is another.
 */
export function singleInput(
  layer: { readonly className: string },
  inputShapes: readonly SymbolicShape[],
  rank?: number,
): SymbolicShape {
  if (inputShapes.length !== 1) {
    throw new RangeError(`${layer.className}: must be applied to one input. Received ${inputShapes.length} inputs.`);
  }
  const [shape] = inputShapes;
  if (rank !== undefined && shape.length !== rank) {
    throw new RangeError(
      `${layer.className}: the input must have ${rank} dimensions. Received shape ${formatShape(shape)}.`,
    );
  }
  return shape;
}

/**
 * A dimension that a layer needs to know when it is built (channels, mostly).
 *
 * @throws RangeError when it is open.
 */
export function knownDimension(layer: { readonly className: string }, shape: SymbolicShape, axis: number): number {
  const size = shape.at(axis);
  if (size === null || size === undefined) {
    throw new RangeError(
      `${layer.className}: axis ${axis} of the input must have a known size. Received shape ${formatShape(shape)}.`,
    );
  }
  return size;
}

/** The options that all layers share, read from a Keras 3 or Keras 2 configuration. */
export function layerOptionsFromConfig(className: string, config: KerasConfig): LayerOptions {
  const read = readConfig(className, config);
  return {
    name: read.optionalString("name"),
    trainable: read.boolean("trainable", true),
    dtype: read.dtype("dtype"),
  };
}
