/**
 * Judgement of a whole model's trace, layer by layer.
 *
 * Each layer of the reference reads the candidate's own inputs, as the trace has them, so that only the error which that
 * layer introduced is judged: a mistake in the third layer breaks the third layer's bound and no other.
 *
 *     output/<layer>               expected of the layer, applied to output/<what it reads>
 *     loss                         expected of the loss of the last layers' logits, and of the penalties
 *     gradOutput/<layer>           the sum over its readers of their gradients for it, each from its own inputs and its own
 *                                  gradOutput
 *     gradWeight/<layer>/<weight>  expected of the layer's backward pass, with the gradient of the penalty
 *     moving/<layer>/<statistic>   expected of the layer in training
 *
 * A tensor that the trace does not have is run through in float64, and what it may be off goes into the bounds of its
 * readers (`reading.ts`). What then cannot be judged is said, with the reason.
 *
 * @module
 */
import type { LayerNode } from "../layers/layer.js";
import type { Variable } from "../layers/variable.js";
import type { Model } from "../models/model.js";
import { nodeNames } from "../models/node-names.js";
import { cast, type Tensor } from "../tensor/tensor.js";
import type { ArithmeticModel } from "./arithmetic-model.js";
import { FLOAT32 } from "./arithmetic-model.js";
import type { Diagnosis } from "./diagnosis.js";
import type { Expectation } from "./expectation.js";
import { type About, asUnseen, type Gradients } from "./inquiry.js";
import { judgeTensor } from "./judgement.js";
import { exactly, expectLayer, expectLayerGradients, type LayerExpectation } from "./layer-expectations.js";
import { layoutOf, readAs } from "./layout.js";
import { type Goal, goalsOf } from "./objectives.js";
import type { WrongCase } from "./operation-case.js";
import { missing, NotJudged, type Reading, sumOf } from "./reading.js";
import { withPenalty } from "./penalties.js";
import { regionRead } from "./receptive-field.js";
import { checkTraceArguments, type TraceJudgementOptions } from "./trace-arguments.js";
import { diagnoseTensor, inquireBackward, inquireForward, inquireSum, inquireWeight } from "./trace-diagnosis.js";
import type { TensorVerdict, TraceJudgement } from "./trace-verdict.js";
import { unseenLayers } from "./unseen.js";
import { allKnown, knownTerms, leave, missingBranch, saysNothing, shapesOf, type Term } from "./terms.js";

/**
 * Judges `candidate`, the trace of `model` on `inputs`.
 *
 * @throws RangeError when inputs, targets or cotangents do not fit the model, or no tensor of the candidate can be judged.
 * @throws TypeError when an argument or an option is of another type, or an option is none of {@link TraceJudgementOptions}.
 */
export function judgeTrace(
  model: Model,
  inputs: readonly Tensor[],
  candidate: ReadonlyMap<string, Tensor>,
  options: TraceJudgementOptions = {},
): TraceJudgement {
  checkTraceArguments(model, inputs, candidate, options);
  const judge = new TraceJudge(model, candidate, options);
  judge.forward(inputs.map((x) => cast(x, model.dtype)));
  judge.backward();
  return judge.conclusion();
}

/** Why parts of a layer that is a model are not judged. */
const WITHIN = "it belongs to a model within the model, of which the trace has only the output";

class TraceJudge {
  readonly #model: Model;
  readonly #candidate: ReadonlyMap<string, Tensor>;
  readonly #options: TraceJudgementOptions;
  readonly #arithmetic: ArithmeticModel;
  readonly #names: ReadonlyMap<LayerNode, string>;
  readonly #weights: ReadonlyMap<string, Variable>;
  readonly #verdicts: TensorVerdict[] = [];
  readonly #asked = new Set<string>();
  readonly #outputs = new Map<LayerNode, Reading | NotJudged>();
  readonly #expected = new Map<LayerNode, LayerExpectation>();
  #batch = 1;
  #wrongCase: WrongCase | undefined;

  constructor(model: Model, candidate: ReadonlyMap<string, Tensor>, options: TraceJudgementOptions) {
    this.#model = model;
    this.#candidate = candidate;
    this.#options = options;
    this.#arithmetic = options.arithmetic ?? FLOAT32;
    this.#weights = model.weightsByPath();
    this.#names = nodeNames(model.graphNodes);
  }

  forward(inputs: readonly Tensor[]): void {
    this.#batch = inputs[0].shape[0];
    for (const node of this.#model.graphNodes) {
      const entrance = this.#model.inputs.findIndex((x) => x.node === node);
      const readings = entrance >= 0 ? [{ value: inputs[entrance] }] : node.inputs.map((x) => this.#outputOf(x.node));
      const expectation = this.#expectNode(node, readings);
      const name = this.#nameOf(node);
      const known = allKnown(readings);
      const before = known instanceof NotJudged ? [] : unseenLayers(known);
      const layers = [...before, name];
      const inquiry = inquireForward(node.layer, known, this.#training, "y");
      const about = {
        key: `output/${name}`,
        layers,
        className: node.layer.className,
        region: (index: readonly number[]) => regionRead(node.layer, shapesOf(readings), index, this.#training),
        inquiry,
        // no layer makes an input
        unseen: entrance >= 0 ? undefined : asUnseen(layers, inquiry),
      };
      if (!(expectation instanceof NotJudged)) this.#expected.set(node, expectation);
      const y = expectation instanceof NotJudged ? expectation : expectation.y;
      this.#outputs.set(node, this.#judge(about, y));
      this.#judgeMoving(node, readings, expectation);
    }
    for (const [path, weight] of this.#training ? this.#weights : []) {
      const key = `moving/${path}`;
      if (weight.trainable || this.#asked.has(key)) continue;
      const [layer] = path.split("/");
      this.#judge({ key, layers: [layer], className: this.#classOf(layer) }, new NotJudged(WITHIN));
    }
  }

  #expectNode(node: LayerNode, readings: readonly (Reading | NotJudged)[]): LayerExpectation | NotJudged {
    const known = allKnown(readings);
    if (known instanceof NotJudged) return known;
    return expectLayer(node.layer, known, this.#training, this.#arithmetic);
  }

  #judgeMoving(
    node: LayerNode,
    readings: readonly (Reading | NotJudged)[],
    expectation: LayerExpectation | NotJudged,
  ): void {
    if (!this.#training) return;
    const again = this.#model.graphNodes.filter(({ layer }) => layer === node.layer).length > 1;
    if (again && node.index > 0) return;
    for (const weight of node.layer.weights) {
      // those of a model within have paths of their own
      if (weight.trainable || this.#weights.get(`${node.layer.name}/${weight.name}`) !== weight) continue;
      const about = {
        key: `moving/${node.layer.name}/${weight.name}`,
        layers: [node.layer.name],
        className: node.layer.className,
        inquiry: inquireForward(node.layer, allKnown(readings), this.#training, weight.name),
      };
      const moved = expectation instanceof NotJudged ? expectation : expectation.moving[weight.name];
      if (again) this.#judge(about, new NotJudged("the layer is applied more than once"));
      // a layer in inference mode leaves them as they were
      else this.#judge(about, moved ?? exactly(weight.value));
    }
  }

  backward(): void {
    const goal = goalsOf(this.#model, this.#options, {
      reading: (node) => this.#outputOf(node),
      expectation: (node) => this.#expected.get(node),
      inputs: (node) => node.inputs.map((x) => this.#outputOf(x.node)),
      isBroken: (node) => this.#isBroken(`output/${this.#nameOf(node)}`),
      arithmetic: this.#arithmetic,
    });
    if (goal === undefined) return;
    this.#judge({ key: "loss", layers: [], className: "loss" }, goal.loss);
    const arriving = new Map<LayerNode, Term[]>();
    const weightTerms = new Map<string, Term[]>();
    for (const [node, { output }] of goal.outputs) {
      if (output !== undefined) leave(arriving, node, { from: undefined, expectation: output });
    }
    for (const node of [...this.#model.graphNodes].reverse()) this.#backwardNode(node, goal, arriving, weightTerms);
    this.#judgeWeights(weightTerms);
  }

  #backwardNode(node: LayerNode, goal: Goal, arriving: Map<LayerNode, Term[]>, weightTerms: Map<string, Term[]>): void {
    const name = this.#nameOf(node);
    const atLogits = goal.outputs.get(node)?.logits;
    const terms = arriving.get(node) ?? [];
    const cotangents: { dy: Reading | NotJudged; atLogits: boolean }[] = [];
    if (atLogits !== undefined) {
      const reported = goal.outputs.get(node)?.reported;
      if (reported !== undefined && terms.length === 0) {
        this.#judgeIfThere({ key: `gradOutput/${name}`, layers: [name], className: "loss" }, reported);
      }
      cotangents.push({ dy: atLogits instanceof NotJudged ? atLogits : missing(atLogits), atLogits: true });
    }
    if (terms.length > 0) cotangents.push({ dy: this.#judgeGradient(node, terms), atLogits: false });
    for (const cotangent of cotangents) {
      const { gradients, inquire } = this.#gradientsOf(node, cotangent);
      const isNotJudged = gradients instanceof NotJudged;
      node.inputs.forEach((x, i) => {
        const expectation = isNotJudged ? gradients : gradients.dInputs[i];
        leave(arriving, x.node, { from: name, expectation, inquiry: inquire(`dInput${i}`) });
      });
      for (const weight of node.layer.trainableWeights) {
        const expectation = isNotJudged ? gradients : gradients.dWeights[weight.name];
        const inquiry = inquire(weight.name);
        leave(weightTerms, `${node.layer.name}/${weight.name}`, { from: name, expectation, inquiry });
      }
    }
  }

  #gradientsOf(node: LayerNode, { dy, atLogits }: { dy: Reading | NotJudged; atLogits: boolean }): Gradients {
    const inputs = allKnown(node.inputs.map((x) => this.#outputOf(x.node)));
    const nobody = (): undefined => undefined;
    if (dy instanceof NotJudged) return { gradients: dy, inquire: nobody };
    if (inputs instanceof NotJudged) return { gradients: inputs, inquire: nobody };
    const cotangent = { dy, atLogits };
    const mode = { training: this.#training, beforeActivation: this.#expected.get(node)?.beforeActivation };
    return {
      gradients: expectLayerGradients(node.layer, inputs, cotangent, mode, this.#arithmetic),
      inquire: (output) => inquireBackward(node.layer, inputs, cotangent, mode, output),
    };
  }

  /** The gradient for the output of `node`: the sum of what its readers computed. */
  #judgeGradient(node: LayerNode, terms: readonly Term[]): Reading | NotJudged {
    const expectations = knownTerms(terms);
    const readers = terms.flatMap(({ from }) => (from === undefined ? [] : [from]));
    const about = {
      key: `gradOutput/${this.#nameOf(node)}`,
      layers: readers,
      className: readers.length === 1 ? this.#classOf(readers[0]) : "gradient",
      explain: (x: Tensor) => missingBranch(x, terms, this.#arithmetic),
      inquiry: inquireSum(terms),
    };
    if (expectations instanceof NotJudged) return this.#judge(about, expectations);
    return this.#judge(about, sumOf(expectations, this.#arithmetic));
  }

  #judgeWeights(weightTerms: ReadonlyMap<string, readonly Term[]>): void {
    const trained = new Set(this.#model.trainableWeights);
    const unknown = { from: undefined, expectation: new NotJudged("its layer was not judged") };
    for (const [path, weight] of this.#weights) {
      if (!trained.has(weight)) continue;
      // a layer that models within the model share has a path, and terms, in each
      const paths = [...this.#weights.keys()].filter((other) => this.#weights.get(other) === weight);
      const terms = paths.flatMap((other) => weightTerms.get(other) ?? [unknown]);
      const layer = path.slice(0, path.lastIndexOf("/"));
      const about = { key: `gradWeight/${path}`, layers: [layer], className: this.#classOf(layer) };
      const expectations = knownTerms(terms);
      if (expectations instanceof NotJudged) {
        this.#judge(about, expectations);
        continue;
      }
      const dWeight = sumOf(expectations, this.#arithmetic);
      const inquiry = inquireWeight(weight, inquireSum(terms), dWeight);
      this.#judge({ ...about, inquiry }, withPenalty(weight, dWeight, this.#arithmetic));
    }
  }

  /** Judges a tensor, if the trace has it; returns what its readers read. */
  #judge(about: About, expectation: Expectation | NotJudged): Reading | NotJudged {
    this.#asked.add(about.key);
    const { key, layers, className } = about;
    const given = this.#candidate.get(key);
    const verdict = (rest: Omit<TensorVerdict, "key" | "layers" | "className">): void =>
      void this.#verdicts.push({ key, layers, className, ...rest });
    if (expectation instanceof NotJudged) {
      verdict({ status: "not judged", reason: expectation.reason });
      return given === undefined ? expectation : { value: given };
    }
    if (given === undefined) {
      verdict({ status: "not judged", reason: "it is not in the trace" });
      return saysNothing(expectation)
        ? new NotJudged(`${key} is not in the trace, and too little is known of it`)
        : missing(expectation, about.unseen);
    }
    const judgement = judgeTensor(given, expectation);
    if (judgement.broken.includes("shape")) {
      const layout = layoutOf(expectation.shape, given.shape);
      verdict({ status: "broken", judgement, hint: layout.description });
      return layout.axes === undefined ? missing(expectation) : { value: readAs(given, layout.axes) };
    }
    const region = judgement.worst && about.region?.(judgement.worst.index);
    const hint = judgement.holds ? undefined : about.explain?.(given);
    const diagnosis = judgement.holds || hint !== undefined ? undefined : this.#diagnose(about, given, expectation);
    verdict({
      status: judgement.holds ? "holds" : "broken",
      judgement,
      ...(region !== undefined && { region }),
      ...(hint !== undefined && { hint }),
      ...(diagnosis && { diagnosis }),
    });
    return { value: given };
  }

  /** What is wrong with the first tensor that is broken. */
  #diagnose({ key, inquiry }: About, x: Tensor, expectation: Expectation): Diagnosis | undefined {
    if (this.#verdicts.some(({ status }) => status === "broken")) return undefined;
    const reproducible = inquiry?.asCase();
    if (reproducible !== undefined) this.#wrongCase = { ...reproducible, received: x, expectation };
    return diagnoseTensor(key, x, expectation, inquiry, this.#arithmetic, this.#batch);
  }

  #judgeIfThere(about: About, expectation: Expectation | NotJudged): void {
    if (this.#candidate.has(about.key)) this.#judge(about, expectation);
  }

  conclusion(): TraceJudgement {
    const unknown = [...this.#candidate.keys()].filter((key) => !this.#asked.has(key));
    const judged = this.#verdicts.filter(({ status }) => status !== "not judged").length;
    if (judged === 0) {
      const known = this.#verdicts.find(({ key }) => this.#candidate.has(key));
      if (known !== undefined) {
        throw new RangeError(
          `judge: the trace must have a tensor that can be judged. Received ${known.key}, and ${known.reason}.`,
        );
      }
      throw new RangeError(
        `judge: the trace must have keys such as \`output/${this.#nameOf(this.#model.graphNodes[1])}\`. ` +
          `Received ${[...this.#candidate.keys()].slice(0, 5).join(", ") || "none"}.`,
      );
    }
    const first = this.#verdicts.find(({ status }) => status === "broken");
    return {
      holds: first === undefined,
      arithmetic: this.#arithmetic.name,
      tensors: this.#verdicts,
      first,
      judged,
      notJudged: this.#verdicts.length - judged,
      wrongCase: this.#wrongCase,
      unknown,
    };
  }

  #isBroken(key: string): boolean {
    return this.#verdicts.some((verdict) => verdict.key === key && verdict.status === "broken");
  }

  get #training(): boolean {
    return this.#options.training ?? false;
  }

  #outputOf(node: LayerNode): Reading | NotJudged {
    return this.#outputs.get(node) ?? new NotJudged("its layer has not run");
  }

  #nameOf(node: LayerNode): string {
    return this.#names.get(node) ?? node.layer.name;
  }

  #classOf(name: string): string {
    const node = this.#model.graphNodes.find((candidate) => this.#nameOf(candidate) === name);
    return node?.layer.className ?? "Functional";
  }
}
