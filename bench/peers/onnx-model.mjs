/**
 * ONNX models of one graph, written by hand: the few messages of `onnx.proto` that a model of one operation needs.
 *
 * A protobuf message is a sequence of fields. Each begins with a varint `number * 8 + type`; type 0 is a varint, type 5 four
 * bytes, type 2 a length and so many bytes: text, packed numbers or another message.
 *
 * @module
 */

const text = new TextEncoder();

function varint(value) {
  const bytes = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    const low = Number(rest & 127n);
    rest >>= 7n;
    bytes.push(rest === 0n ? low : low | 128);
  } while (rest !== 0n);
  return bytes;
}

const joined = (parts) => Buffer.concat(parts);
const integerField = (number, value) => Buffer.from([...varint(number * 8), ...varint(value)]);
const bytesField = (number, bytes) =>
  joined([Buffer.from([...varint(number * 8 + 2), ...varint(bytes.length)]), bytes]);
const textField = (number, value) => bytesField(number, text.encode(value));
const floatField = (number, value) =>
  joined([Buffer.from(varint(number * 8 + 5)), new Uint8Array(Float32Array.of(value).buffer)]);

/** ONNX's numbers for element types. */
const FLOAT = 1;
const INT64 = 7;

/** AttributeProto: name 1, f 2, i 3, s 4, floats 7, ints 8, type 20. A plain number is an integer; `{ float }` is not. */
function attribute(name, value) {
  if (Array.isArray(value)) {
    const ints = value.map((i) => integerField(8, i));
    return joined([textField(1, name), ...ints, integerField(20, 7)]);
  }
  if (typeof value === "string") return joined([textField(1, name), textField(4, value), integerField(20, 3)]);
  if (typeof value === "object") {
    return joined([textField(1, name), floatField(2, value.float), integerField(20, 1)]);
  }
  return joined([textField(1, name), integerField(3, value), integerField(20, 2)]);
}

/** NodeProto: input 1, output 2, op_type 4, attribute 5. An input "" is one that is left out. */
function node({ type, inputs, outputs, attributes = {} }) {
  return joined([
    ...inputs.map((name) => textField(1, name)),
    ...outputs.map((name) => textField(2, name)),
    textField(4, type),
    ...Object.entries(attributes).map(([name, value]) => bytesField(5, attribute(name, value))),
  ]);
}

/** TensorProto: dims 1, data_type 2, name 8, raw_data 9. Data are float32 or, as BigInt64Array, int64. */
function constant(name, { data, shape }) {
  const type = data instanceof BigInt64Array ? INT64 : FLOAT;
  return joined([
    ...shape.map((size) => integerField(1, size)),
    integerField(2, type),
    textField(8, name),
    bytesField(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
  ]);
}

/** ValueInfoProto: name 1, type 2 { tensor_type 1 { elem_type 1, shape 2 { dim 1 { dim_value 1 } } } }. */
function valueInfo(name, shape) {
  const dimensions = shape?.map((size) => bytesField(1, integerField(1, size)));
  const shapeField = dimensions === undefined ? [] : [bytesField(2, joined(dimensions))];
  const tensorType = joined([integerField(1, FLOAT), ...shapeField]);
  return joined([textField(1, name), bytesField(2, bytesField(1, tensorType))]);
}

/**
 * The bytes of a model: `nodes`, tensors it is run on by name and shape, constants by name, and names of its results.
 * ModelProto: ir_version 1, graph 7 { node 1, name 2, initializer 5, input 11, output 12 }, opset_import 8 { version 2 }.
 */
export function onnxModel({ nodes, inputs, constants = {}, outputs, opset = 17 }) {
  const graph = joined([
    ...nodes.map((each) => bytesField(1, node(each))),
    textField(2, "operation"),
    ...Object.entries(constants).map(([name, value]) => bytesField(5, constant(name, value))),
    ...Object.entries(inputs).map(([name, shape]) => bytesField(11, valueInfo(name, shape))),
    ...outputs.map((name) => bytesField(12, valueInfo(name))),
  ]);
  return joined([integerField(1, 8), bytesField(7, graph), bytesField(8, integerField(2, opset))]);
}
