/**
 * Variables: the weights of a layer, each with its Keras name, its shape and how it is first filled.
 *
 * @module
 */
import { randomStream } from "../arithmetic/random.js";
import { type InitializerConfig, initialize } from "../initializers/initializer.js";
import type { Regularizer } from "../regularizers/regularizer.js";
import { checkTensor } from "../serialization/tensors.js";
import type { DType } from "../tensor/dtype.js";
import { allocatePersistent } from "../tensor/persistent.js";
import { formatShape, type Shape, shapesAgree, sizeOf } from "../tensor/shape.js";
import { copyInto, detach, type Tensor, tensor } from "../tensor/tensor.js";

/** What a layer says of a weight that it wants. */
export interface VariableSpec {
  /** Keras's name: `kernel`, `bias`, `gamma`, `beta`, `moving_mean`, `moving_variance`. */
  readonly name: string;
  /** Its shape. */
  readonly shape: Shape;
  /** How it is filled before it is trained or loaded. */
  readonly initializer: InitializerConfig;
  /** The penalty on it, if any. */
  readonly regularizer?: Regularizer | undefined;
  /** Whether it has a gradient; moving statistics have none. @defaultValue true */
  readonly trainable?: boolean;
}

/** One weight. It is filled when it is first read, so that a model about to be loaded never draws random numbers. */
export class Variable {
  /** Keras's name within the layer. */
  readonly name: string;
  /** Its shape. */
  readonly shape: Shape;
  /** float32, or float64 in a float64 model. */
  readonly dtype: DType;
  /** How it is first filled. */
  readonly initializer: InitializerConfig;
  /** The penalty on it, if any. */
  readonly regularizer: Regularizer | undefined;
  /** Whether it has a gradient. */
  readonly trainable: boolean;
  /** The seed of the initial values; a model sets it. */
  seed = 0;
  /** The layer's path in the outermost model, which with the seed addresses the initial values; a model sets it. */
  owner = "";
  #value: Tensor | undefined;

  constructor(spec: VariableSpec, dtype: DType) {
    this.name = spec.name;
    this.shape = spec.shape;
    this.dtype = dtype;
    this.initializer = spec.initializer;
    this.regularizer = spec.regularizer;
    this.trainable = spec.trainable ?? true;
  }

  /** How many numbers it holds. */
  get size(): number {
    return sizeOf(this.shape);
  }

  /**
   * The values in place. The memory lives as long as the variable, this tensor, or a view of it does. A `subarray` of its
   * data alone does not keep it: keep the tensor too, or a copy ({@link read}).
   */
  get value(): Tensor {
    this.#value ??= this.#allocate(
      tensor(
        initialize(
          this.initializer,
          this.shape,
          this.dtype,
          randomStream(this.seed, `initializer/${this.owner}/${this.name}`),
        ),
        this.shape,
      ),
    );
    return this.#value;
  }

  /** A copy of the values. */
  read(): Tensor {
    return detach(this.value);
  }

  /**
   * Replaces the values by those of `x`, rounded to the variable's element type.
   *
   * @throws RangeError when the shapes differ; TypeError when `x` is no tensor.
   */
  assign(x: Tensor): void {
    checkTensor(`${this.owner}/${this.name}`, "x", x);
    if (!shapesAgree(x.shape, this.shape)) {
      throw new RangeError(
        `${this.owner}/${this.name}: a new value must have shape ${formatShape(this.shape)}. ` +
          `Received shape ${formatShape(x.shape)}.`,
      );
    }
    if (this.#value === undefined) this.#value = this.#allocate(x);
    else copyInto(this.#value, x);
  }

  #allocate(x: Tensor): Tensor {
    return copyInto(tensor(allocatePersistent(this.dtype, this.size), this.shape), x);
  }
}
