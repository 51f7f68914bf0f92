/**
 * Models: a graph of layers with inputs and outputs. Keras: `keras.Model(inputs, outputs)`.
 *
 * The graph is walked forward once, and backward once over what forward kept (`passes.ts`). There, and only there,
 * gradients that meet where a tensor forks are added, and so are those of a weight that several nodes share.
 *
 * @module
 */
import {
  type CallContext,
  callPath,
  Layer,
  type LayerGradients,
  type LayerNode,
  type LayerOptions,
  type LayerPass,
  type SymbolicTensor,
} from "../layers/layer.js";
import { symbolicTensors } from "../layers/symbolic.js";
import type { Variable } from "../layers/variable.js";
import type { KerasConfig } from "../serialization/config.js";
import { expectOptions } from "../serialization/options.js";
import { checkTensors } from "../serialization/tensors.js";
import type { FloatArray } from "../tensor/dtype.js";
import { formatShape, type SymbolicShape, shapesAgree } from "../tensor/shape.js";
import { cast, contiguous, type Tensor } from "../tensor/tensor.js";
import { backwardPass, type ForwardOptions, forwardPass, type ModelPass, type OutputGradient } from "./passes.js";
import { mapGraph } from "./graph.js";
import { graphToConfig } from "./graph-config.js";
import { nameLayers } from "./names.js";

/** Options of {@link Model}. */
export interface ModelOptions extends Omit<LayerOptions, "dtype"> {
  /** Where numbers enter. */
  readonly inputs: SymbolicTensor | readonly SymbolicTensor[];
  /** Where they leave. */
  readonly outputs: SymbolicTensor | readonly SymbolicTensor[];
  /** Seed of the initial weights. @defaultValue 0 */
  readonly seed?: number;
}

/** Where a weight is: in this layer of a model, by this name there. */
export interface WeightPlace {
  /** `conv2d/kernel`. */
  readonly path: string;
  /** The layer of this model; where that is a model, the weight is somewhere within. */
  readonly layer: Layer;
  /** The rest of the path. */
  readonly name: string;
  /** The weight. */
  readonly weight: Variable;
}

/**
 * Names the owners of weights: the layer, unless another model has named it, and within an inner model its path, so that
 * layers of one name in several of them do not draw the same numbers.
 */
function nameOwners(layers: readonly Layer[], path = ""): void {
  for (const layer of layers) {
    if (layer instanceof Model) {
      nameOwners(layer.layers, `${path}${layer.name}/`);
      continue;
    }
    for (const weight of layer.weights) {
      if (path !== "" || weight.owner === "") weight.owner = `${path}${layer.name}`;
    }
  }
}

/** A functional model. It is a layer too, so that models can be parts of models. */
export class Model extends Layer {
  /** The Keras class. */
  readonly className: string = "Functional";
  /** Where numbers enter, in the author's order. */
  readonly inputs: readonly SymbolicTensor[];
  /** Where they leave, in the author's order. */
  readonly outputs: readonly SymbolicTensor[];
  /** Every layer once, in Keras's order. */
  readonly layers: readonly Layer[];
  /** Every application of a layer, in the order in which they run. */
  readonly graphNodes: readonly LayerNode[];
  // asked for in every step, and the same for as long as the model lives
  #weightPlaces: readonly WeightPlace[] | undefined;
  #weightsByPath: ReadonlyMap<string, Variable> | undefined;
  // by the shapes of the inputs: models within models ask again and again
  readonly #outputShapes = new Map<string, SymbolicShape>();

  /**
   * @throws TypeError when inputs or outputs are no symbolic tensors, or an option is none of {@link ModelOptions}.
   * @throws RangeError when there is no input or no output, an output depends on an input that is not given, an input is
   *   not one, or two layers have one name.
   */
  constructor(options: ModelOptions) {
    expectOptions("Model", options, ["inputs", "outputs", "name", "trainable", "seed"]);
    const inputs = symbolicTensors("Model: `inputs` must be", options.inputs);
    const outputs = symbolicTensors("Model: `outputs` must be", options.outputs);
    if (inputs.length === 0 || outputs.length === 0) {
      throw new RangeError(
        `Model: must have at least one input and one output. Received ${inputs.length} and ${outputs.length}.`,
      );
    }
    for (const { node } of inputs) {
      if (node.inputs.length > 0) {
        throw new RangeError(
          `Model: \`inputs\` must come from \`input()\`. Received an output of \`${node.layer.name}\`.`,
        );
      }
    }
    super({ ...options, dtype: outputs[0].node.layer.dtype });
    const { nodes, layers } = mapGraph(inputs, outputs);
    this.inputs = inputs;
    this.outputs = outputs;
    this.layers = layers;
    this.graphNodes = nodes;
    nameLayers(layers);
    nameOwners(layers);
    if (options.seed !== undefined) for (const weight of this.weights) weight.seed = options.seed;
  }

  /** The name; Keras calls a model without one after its class. */
  override get name(): string {
    return this.givenName ?? this.className.toLowerCase();
  }

  override set name(name: string) {
    super.name = name;
  }

  /** All weights of all layers, in Keras's order. */
  override get weights(): readonly Variable[] {
    return [...new Set(this.layers.flatMap((layer) => layer.weights))];
  }

  /** The weights that have gradients now. As in Keras, only the outermost model's own `trainable` counts, and every layer's. */
  override get trainableWeights(): readonly Variable[] {
    return this.trainable ? this.trainedByLayers : [];
  }

  /** The weights that the layers train, whatever the `trainable` of this model and of those within it. */
  get trainedByLayers(): readonly Variable[] {
    const trained = new Set<Variable>();
    for (const layer of this.layers) {
      const ofLayer = layer instanceof Model ? layer.trainedByLayers : layer.trainableWeights;
      for (const weight of ofLayer) trained.add(weight);
    }
    return [...trained];
  }

  override get trainable(): boolean {
    return super.trainable;
  }

  /** Setting it sets it for every layer, as in Keras. */
  override set trainable(trainable: boolean) {
    super.trainable = trainable;
    for (const layer of this.layers) layer.trainable = trainable;
  }

  /** How many numbers all weights hold. */
  countParams(): number {
    return this.weights.reduce((sum, weight) => sum + weight.size, 0);
  }

  /**
   * The layer of this name.
   *
   * @throws RangeError when there is none.
   */
  getLayer(name: string): Layer {
    const layer = this.layers.find((candidate) => candidate.name === name);
    if (layer === undefined) {
      throw new RangeError(`Model \`${this.name}\`: must have the layer that is asked for. Received name=\`${name}\`.`);
    }
    return layer;
  }

  /**
   * Every weight by its path: `conv2d/kernel`, and `inner/conv2d/kernel` within a model within this one.
   *
   * A layer shared by several models has one path in each.
   *
   * @throws RangeError when two weights have one path, as names with slashes can bring about.
   */
  weightsByPath(): ReadonlyMap<string, Variable> {
    this.#weightsByPath ??= new Map(this.weightPlaces().map(({ path, weight }) => [path, weight]));
    return this.#weightsByPath;
  }

  /**
   * Every weight, with its path and where it is.
   *
   * @throws RangeError as {@link weightsByPath}.
   */
  weightPlaces(): readonly WeightPlace[] {
    if (this.#weightPlaces !== undefined) return this.#weightPlaces;
    const places = this.layers.flatMap((layer) => {
      const inner =
        layer instanceof Model ? [...layer.weightsByPath()] : layer.weights.map((w) => [w.name, w] as const);
      return inner.map(([name, weight]) => ({ path: `${layer.name}/${name}`, layer, name, weight }));
    });
    const paths = new Set<string>();
    for (const { path } of places) {
      if (paths.has(path)) {
        throw new RangeError(`Model: every weight must have a path of its own. Received \`${path}\` twice.`);
      }
      paths.add(path);
    }
    this.#weightPlaces = places;
    return places;
  }

  computeOutputShape(inputShapes: readonly SymbolicShape[]): SymbolicShape {
    if (this.outputs.length !== 1) {
      throw new RangeError(
        `Model \`${this.name}\`: must have one output to be a layer of another model. Received ${this.outputs.length}.`,
      );
    }
    this.#checkInputs(inputShapes);
    // the batch is whatever comes in, and so is what this model leaves open
    const entering = this.inputs.map(({ shape }, i) =>
      shape.map((size, axis) => (axis === 0 ? inputShapes[i][0] : (size ?? inputShapes[i][axis]))),
    );
    const key = entering.map(formatShape).join();
    const shape = this.#outputShapes.get(key) ?? this.#inferShape(entering);
    this.#outputShapes.set(key, shape);
    return shape;
  }

  /** The shape of the first output for inputs of these shapes. */
  #inferShape(entering: readonly SymbolicShape[]): SymbolicShape {
    const shapes = new Map(this.inputs.map(({ node }, i) => [node, entering[i]]));
    const shapeOf = (x: SymbolicTensor): SymbolicShape => shapes.get(x.node) ?? x.shape;
    for (const node of this.graphNodes) {
      if (!shapes.has(node)) shapes.set(node, node.layer.computeOutputShape(node.inputs.map(shapeOf)));
    }
    return shapeOf(this.outputs[0]);
  }

  /** Runs the graph forward as one layer of an outer model. */
  call(inputs: readonly Tensor[], context: CallContext): LayerPass {
    const { release } = context;
    const within = { ...context, path: `${callPath(this, context)}/` };
    const pass = forwardPass(this, inputs, within, { want: release === undefined ? "gradients" : "outputs", release });
    const backward = (gradient: OutputGradient): LayerGradients => {
      const { dInputs, dWeights } = backwardPass(this, pass, [gradient], this.trainedByLayers);
      return { dInputs, dWeights: Object.fromEntries(dWeights) };
    };
    const logits = pass.passes.get(this.outputs[0].node)?.logits;
    return {
      y: pass.outputs[0],
      updates: pass.updates,
      backward: (dy) => backward({ dy }),
      // where the last layer is a softmax, the model is one
      ...(logits !== undefined && {
        logits: { x: logits.x, backward: (dLogits) => backward({ dy: dLogits, dLogits }) },
      }),
    };
  }

  /**
   * Runs the graph forward and keeps what backward needs.
   *
   * @throws RangeError when number or shapes of `inputs` are not those of the model; TypeError when they are no tensors.
   */
  forward(inputs: readonly Tensor[], context: CallContext, options: ForwardOptions = {}): ModelPass {
    return forwardPass(this, this.#enter(inputs), context, options);
  }

  /**
   * Runs the graph forward in inference and keeps nothing: memory that no later layer reads is handed to `release`. `runUnit`
   * is given what is to run one by one.
   *
   * @throws RangeError when number or shapes of `inputs` are not those of the model; TypeError when they are no tensors.
   */
  infer(
    inputs: readonly Tensor[],
    context: CallContext,
    release: (data: FloatArray) => void,
    runUnit?: ForwardOptions["runUnit"],
  ): readonly Tensor[] {
    return forwardPass(this, this.#enter(inputs), context, { want: "outputs", release, runUnit }).outputs;
  }

  #enter(inputs: readonly Tensor[]): readonly Tensor[] {
    checkTensors(`Model \`${this.name}\``, "inputs", inputs);
    this.#checkInputs(inputs.map((x) => x.shape));
    return inputs.map((x, i) => contiguous(cast(x, this.inputs[i].node.layer.dtype)));
  }

  #checkInputs(shapes: readonly SymbolicShape[]): void {
    const wanted = this.inputs.map((x) => x.shape);
    const fits = shapes.length === wanted.length && shapes.every((shape, i) => shapesAgree(shape, wanted[i]));
    if (!fits) {
      const list = (all: readonly SymbolicShape[]): string => all.map(formatShape).join(", ");
      throw new RangeError(
        `Model \`${this.name}\`: inputs must have the shape ${list(wanted)}. Received ${list(shapes) || "no input"}.`,
      );
    }
  }

  protected arguments(): KerasConfig {
    return graphToConfig(this);
  }

  override getConfig(): KerasConfig {
    return { name: this.name, trainable: this.trainable, ...this.arguments() };
  }
}
