/**
 * A whole plan as one ONNX model, in the NCHW order that ONNX Runtime computes in.
 *
 * @module
 */
import { onnxModel } from "../onnx-model.mjs";
import { toNCHW, toOIHW } from "../peer.mjs";

const pads = ([[top, bottom], [left, right]]) => [top, left, bottom, right];

/** The plan, with the Map `plan.weights`, as the bytes of an ONNX model with the input `x` [N, C, H, W]. */
export function toOnnx(plan, batch) {
  const constants = {};
  const nodes = [];
  const value = (name, role) => {
    const { data, shape } = plan.weights.get(name);
    constants[name] = role === "kernel" && shape.length === 4 ? toOIHW({ data, shape: [...shape] }) : { data, shape };
    return name;
  };
  const names = new Map(plan.nodes.map(({ name }) => [name, name]));
  for (const { name, op, inputs, weights = {}, ...rest } of plan.nodes) {
    const read = inputs.map((input) => names.get(input));
    const w = Object.fromEntries(Object.entries(weights).map(([role, path]) => [role, value(path, role)]));
    const add = (type, attributes = {}, more = []) =>
      nodes.push({ type, inputs: [...read, ...more], outputs: [name], attributes });
    const given = (...list) => list.filter((input) => input !== undefined);
    const pool = () => ({ kernel_shape: rest.poolSize, strides: rest.strides, pads: pads(rest.zeros) });
    switch (op) {
      case "input":
        names.set(name, "x");
        break;
      case "conv2d": {
        const { shape } = plan.weights.get(weights.kernel);
        const attributes = { kernel_shape: shape.slice(0, 2), strides: rest.strides, pads: pads(rest.zeros) };
        add("Conv", attributes, given(w.kernel, w.bias));
        break;
      }
      case "batch-normalization":
        add("BatchNormalization", { epsilon: { float: rest.epsilon } }, [
          w.gamma,
          w.beta,
          w.moving_mean,
          w.moving_variance,
        ]);
        break;
      case "zero-padding2d": {
        const [[top, bottom], [left, right]] = rest.zeros;
        constants[`${name}/pads`] = {
          data: BigInt64Array.from([0, 0, top, left, 0, 0, bottom, right], BigInt),
          shape: [8],
        };
        add("Pad", {}, [`${name}/pads`]);
        break;
      }
      case "flatten": // pixels of one position lie together in NHWC, and here the images are 1x1 or must be turned
        nodes.push({ type: "Transpose", inputs: read, outputs: [`${name}/nhwc`], attributes: { perm: [0, 2, 3, 1] } });
        nodes.push({ type: "Flatten", inputs: [`${name}/nhwc`], outputs: [name] });
        break;
      case "global-average-pooling2d":
        nodes.push({ type: "GlobalAveragePool", inputs: read, outputs: [`${name}/1x1`] });
        nodes.push({ type: "Flatten", inputs: [`${name}/1x1`], outputs: [name] });
        break;
      case "max-pooling2d":
        add("MaxPool", pool());
        break;
      case "average-pooling2d":
        add("AveragePool", pool());
        break;
      case "dense":
        add("Gemm", {}, [w.kernel, w.bias]);
        break;
      default:
        add({ relu: "Relu", add: "Add", softmax: "Softmax" }[op]);
    }
  }
  const [height, width, channels] = plan.inputShape;
  const inputs = { x: [batch, channels, height, width] };
  return onnxModel({ nodes, inputs, constants, outputs: [plan.output] });
}

/** A forward pass in a session of `ort`, which reads the model from its file as it would anyone's. */
export async function onnxForward(ort, options, { plan, onnx, x }) {
  const session = await ort.InferenceSession.create(onnx, options);
  const images = toNCHW(x);
  const feeds = { x: new ort.Tensor("float32", images.data, images.shape) };
  return async () => (await session.run(feeds))[plan.output].data;
}
