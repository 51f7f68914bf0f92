/**
 * A plan in jax-js, NCHW: forward and a training step. Arrays are moved into every function; `.ref` keeps one for another use.
 *
 * @module
 */
import { defaultDevice, init, jit, lax, nn, numpy as np, valueAndGrad } from "@jax-js/jax";
import { toNCHW, toOIHW } from "../peer.mjs";

const put = ({ data, shape }) => np.array(data, { shape: [...shape] });
const perChannel = (value) => value.reshape([1, value.shape[0], 1, 1]);

function normalize(x, w, { epsilon }, training) {
  let mean = w.moving_mean;
  let variance = w.moving_variance;
  if (training) {
    mean = np.mean(x.ref, [0, 2, 3]);
    variance = np.mean(np.square(x.ref.sub(perChannel(mean.ref))), [0, 2, 3]);
  }
  const scale = w.gamma.div(np.sqrt(variance.add(epsilon)));
  return x.sub(perChannel(mean)).mul(perChannel(scale)).add(perChannel(w.beta));
}

/** Runs the plan on `x`; `weightOf` gives a weight, for one use. */
function run(plan, weightOf, x, training) {
  const values = new Map();
  const readers = new Map();
  for (const { inputs } of plan.nodes) for (const input of inputs) readers.set(input, (readers.get(input) ?? 0) + 1);
  const take = (name) => {
    const left = readers.get(name) - 1;
    readers.set(name, left);
    return left > 0 ? values.get(name).ref : values.get(name);
  };
  for (const { name, op, inputs, weights = {}, ...rest } of plan.nodes) {
    const [first, second] = inputs.map(take);
    const used = training
      ? Object.entries(weights).filter(([role]) => !role.startsWith("moving_"))
      : Object.entries(weights);
    const w = Object.fromEntries(used.map(([role, path]) => [role, weightOf(path)]));
    const pool = (reduce) => lax.reduceWindow(first, reduce, rest.poolSize, rest.strides);
    const compute = {
      input: () => x,
      conv2d: () => {
        const y = lax.convGeneralDilated(first, w.kernel, rest.strides, rest.zeros);
        return w.bias === undefined ? y : y.add(perChannel(w.bias));
      },
      "batch-normalization": () => normalize(first, w, rest, training),
      relu: () => nn.relu(first),
      add: () => first.add(second),
      "zero-padding2d": () => np.pad(first, [[0, 0], [0, 0], ...rest.zeros]),
      "max-pooling2d": () => pool((window) => np.max(window)),
      "average-pooling2d": () => pool((window) => np.mean(window)),
      "global-average-pooling2d": () => np.mean(first, [2, 3]),
      flatten: () => {
        const [batch, channels, height, width] = first.shape;
        return np.transpose(first, [0, 2, 3, 1]).reshape([batch, channels * height * width]);
      },
      dense: () => np.matmul(first, w.kernel).add(w.bias),
      softmax: () => (training ? first : nn.softmax(first, -1)),
    };
    values.set(name, compute[op]());
  }
  return values.get(plan.output);
}

function weightsOf(read) {
  const weights = {};
  for (const [path, value] of read()) weights[path] = put(value.shape.length === 4 ? toOIHW(value) : value);
  return weights;
}

/** Starts jax-js on WebAssembly. */
export async function open() {
  await init("wasm");
  defaultDevice("wasm");
}

/** A forward pass of the plan. */
export function jaxForward({ plan, weights: read, x }) {
  const weights = weightsOf(read);
  const forward = jit((w, images) => run(plan, (path) => w[path].ref, images, false));
  const images = put(toNCHW(x));
  const refs = () => Object.fromEntries(Object.entries(weights).map(([path, value]) => [path, value.ref]));
  return async () => forward(refs(), images.ref).data();
}

/** A training step of the plan: Adam as the paper has it; the moving statistics are left out, a small part of the work. */
export function jaxStep({ plan, weights: read, x, y }) {
  let weights = Object.fromEntries(Object.entries(weightsOf(read)).filter(([path]) => !path.includes("/moving_")));
  const zerosLike = () =>
    Object.fromEntries(Object.entries(weights).map(([path, value]) => [path, np.zeros(value.shape)]));
  let momenta = zerosLike();
  let velocities = zerosLike();
  const [images, targets] = [put(toNCHW(x)), put(y)];
  const penalized = plan.nodes.filter((node) => node.l2 > 0).map((node) => [node.weights.kernel, node.l2]);
  const lossOf = (w, batch, wanted) => {
    const logits = run(plan, (path) => w[path].ref, batch, true);
    const entropy = np.mean(np.sum(wanted.mul(nn.logSoftmax(logits, -1)), -1)).neg();
    const total = penalized.reduce((sum, [path, l2]) => sum.add(np.sum(np.square(w[path].ref)).mul(l2)), entropy.ref);
    return [total, entropy]; // the entropy is what everyone reports
  };
  const gradient = jit(valueAndGrad(lossOf, { hasAux: true }));
  const mapped = (compute) => Object.fromEntries(Object.keys(weights).map((path) => [path, compute(path)]));
  return async () => {
    const [[total, entropy], gradients] = gradient(
      mapped((path) => weights[path].ref),
      images.ref,
      targets.ref,
    );
    momenta = mapped((path) => momenta[path].mul(0.9).add(gradients[path].ref.mul(0.1)));
    velocities = mapped((path) => velocities[path].mul(0.999).add(np.square(gradients[path]).mul(0.001)));
    weights = mapped((path) =>
      weights[path].sub(momenta[path].ref.mul(1e-3).div(np.sqrt(velocities[path].ref).add(1e-7))),
    );
    await Promise.all(Object.values(weights).map((value) => value.ref.data()));
    await total.data();
    return entropy.data();
  };
}
