// A backend for `conform`, in plain JavaScript: two operations, each in float32.
const relu6 = ({ x }) => ({ shape: x.shape, data: x.data.map((v) => Math.min(6, Math.max(v, 0))) });

const dense = ({ x, kernel, bias }) => {
  const [inputs, units] = kernel.shape;
  const rows = x.data.length / inputs;
  const data = new Float32Array(rows * units);
  for (let i = 0; i < data.length; i++) {
    const [row, unit] = [Math.floor(i / units), i % units];
    let sum = bias?.data[unit] ?? 0;
    for (let k = 0; k < inputs; k++) sum = Math.fround(sum + Math.fround(x.data[row * inputs + k] * kernel.data[k * units + unit]));
    data[i] = sum;
  }
  return { shape: [...x.shape.slice(0, -1), units], data };
};

export default { name: "mine", version: "0.1", operations: { dense, relu6 } };
