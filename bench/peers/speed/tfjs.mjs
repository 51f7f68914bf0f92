/**
 * A plan in TensorFlow.js: forward, and where the backend has the gradients a training step.
 *
 * @module
 */

/** Runs the plan on `x`, given the weights as tensors; in training also gives the statistics of the batch. */
function run(tf, plan, weights, x, training) {
  const values = new Map();
  const statistics = [];
  for (const { name, op, inputs, weights: own = {}, ...rest } of plan.nodes) {
    const [first, second] = inputs.map((input) => values.get(input));
    const w = Object.fromEntries(Object.entries(own).map(([role, path]) => [role, weights.get(path)]));
    const padding = () => [[0, 0], ...rest.zeros, [0, 0]];
    const even = rest.zeros?.every(([before, after]) => before === 0 && after === 0);
    switch (op) {
      case "input":
        values.set(name, x);
        break;
      case "conv2d": {
        const y = tf.conv2d(first, w.kernel, rest.strides, even ? "valid" : padding());
        values.set(name, w.bias === undefined ? y : tf.add(y, w.bias));
        break;
      }
      case "batch-normalization": {
        const { mean, variance } = training
          ? tf.moments(first, [0, 1, 2])
          : { mean: w.moving_mean, variance: w.moving_variance };
        if (training)
          statistics.push([w.moving_mean, mean, rest.momentum], [w.moving_variance, variance, rest.momentum]);
        values.set(name, tf.batchNorm(first, mean, variance, w.beta, w.gamma, rest.epsilon));
        break;
      }
      case "zero-padding2d":
        values.set(name, tf.pad(first, padding()));
        break;
      case "max-pooling2d":
        values.set(name, tf.maxPool(first, rest.poolSize, rest.strides, "valid"));
        break;
      case "average-pooling2d":
        values.set(name, tf.avgPool(first, rest.poolSize, rest.strides, "valid"));
        break;
      case "global-average-pooling2d":
        values.set(name, tf.mean(first, [1, 2]));
        break;
      case "flatten":
        values.set(name, tf.reshape(first, [first.shape[0], -1]));
        break;
      case "dense":
        values.set(name, tf.add(tf.matMul(first, w.kernel), w.bias));
        break;
      case "softmax":
        values.set(name, training ? first : tf.softmax(first));
        break;
      default:
        values.set(name, op === "relu" ? tf.relu(first) : tf.add(first, second));
    }
  }
  return { y: values.get(plan.output), statistics };
}

const put = (tf, { data, shape }) => tf.tensor(data, [...shape]);

/** A forward pass of the plan. */
export function tfjsForward(tf, { plan, weights: read, x }) {
  const weights = new Map();
  for (const [path, value] of read()) weights.set(path, put(tf, value));
  const images = put(tf, x);
  return async () => {
    const y = tf.tidy(() => run(tf, plan, weights, images, false).y);
    const data = await y.data();
    y.dispose();
    return data;
  };
}

/** A training step of the plan. */
export function tfjsStep(tf, { plan, weights: read, x, y }) {
  const weights = new Map();
  for (const [path, value] of read()) weights.set(path, tf.variable(put(tf, value), !path.includes("/moving_")));
  const [images, targets] = [put(tf, x), put(tf, y)];
  const optimizer = tf.train.adam(1e-3);
  const kernels = plan.nodes.filter((node) => node.l2 > 0).map((node) => [weights.get(node.weights.kernel), node.l2]);
  return async () => {
    let entropy;
    tf.tidy(() => {
      const total = optimizer.minimize(() => {
        const { y: logits, statistics } = run(tf, plan, weights, images, true);
        const loss = tf.losses.softmaxCrossEntropy(targets, logits);
        entropy = tf.keep(loss.clone());
        for (const [moving, batch, momentum] of statistics) {
          moving.assign(tf.add(tf.mul(moving, momentum), tf.mul(batch, 1 - momentum)));
        }
        return kernels.reduce((sum, [kernel, l2]) => tf.add(sum, tf.mul(tf.sum(tf.square(kernel)), l2)), loss);
      }, true);
      total.dispose();
    });
    const data = await entropy.data();
    entropy.dispose();
    return data;
  };
}
