"""TensorFlow's kernels on the CPU, as Keras's layers call them. Gradients are those of tf.GradientTape."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
# by itself TensorFlow takes oneDNN on some processors only, and its own kernels have no gradient of a dilated convolution
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import tensorflow as tf

from peer_server import NotOffered, pair, serve


def convolution_arguments(args):
    strides, rates = pair(args.get("strides")), pair(args.get("dilationRate"))
    if max(strides) > 1 and max(rates) > 1:
        raise NotOffered("strides and dilation together are refused")
    return strides, (args.get("padding") or "valid").upper(), rates


def conv2d(x, kernel, args):
    strides, padding, rates = convolution_arguments(args)
    return tf.nn.conv2d(x, kernel, strides=strides, padding=padding, dilations=rates)


def depthwise_conv2d(x, kernel, args):
    strides, padding, rates = convolution_arguments(args)
    if strides[0] != strides[1]:
        raise NotOffered("depthwise convolution wants equal strides")
    return tf.nn.depthwise_conv2d(x, kernel, strides=(1, *strides, 1), padding=padding, dilations=rates)


def dense(x, kernel, args):
    return tf.matmul(x, kernel)


def pool(kind):
    def compute(x, args):
        size = pair(args.get("poolSize"), (2, 2))
        strides = pair(args.get("strides"), size)
        return kind(x, size, strides, (args.get("padding") or "valid").upper())

    return compute


def relu(x, args):
    return keras.layers.ReLU(
        max_value=args.get("maxValue"),
        negative_slope=args.get("negativeSlope", 0.0),
        threshold=args.get("threshold", 0.0),
    )(x)


UNARY = {
    "average-pooling2d": pool(tf.nn.avg_pool2d),
    "max-pooling2d": pool(tf.nn.max_pool2d),
    "global-average-pooling2d": lambda x, args: tf.reduce_mean(x, [1, 2], keepdims=args.get("keepdims", False)),
    "global-max-pooling2d": lambda x, args: tf.reduce_max(x, [1, 2], keepdims=args.get("keepdims", False)),
    "relu": relu,
    "relu6": lambda x, args: tf.nn.relu6(x),
    "leaky-relu": lambda x, args: tf.nn.leaky_relu(x, alpha=args.get("negativeSlope", 0.3)),
    "sigmoid": lambda x, args: tf.sigmoid(x),
    "tanh": lambda x, args: tf.tanh(x),
    "softmax": lambda x, args: tf.nn.softmax(x, axis=args.get("axis", -1)),
    "rescaling": lambda x, args: x * args["scale"] + args.get("offset", 0.0),
    "zero-padding2d": lambda x, args: tf.pad(x, [[0, 0], *args["padding"], [0, 0]]),
}


def forward_of(compute):
    return lambda operands, args: {"y": compute(tf.constant(operands["x"]), args)}


def backward_of(compute):
    def backward(operands, args):
        x = tf.constant(operands["x"])
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = compute(x, args)
        return {"dx": tape.gradient(y, x, output_gradients=tf.constant(operands["dy"]))}

    return backward


def weighted_forward(compute):
    def forward(operands, args):
        y = compute(tf.constant(operands["x"]), tf.constant(operands["kernel"]), args)
        return {"y": tf.nn.bias_add(y, operands["bias"]) if "bias" in operands else y}

    return forward


def weighted_backward(compute):
    def backward(operands, args):
        x, kernel, dy = (tf.constant(operands[name]) for name in ("x", "kernel", "dy"))
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            y = compute(x, kernel, args)
            bias = tf.zeros([y.shape[-1]])
            tape.watch(bias)
            y = tf.nn.bias_add(y, bias)
        dx, d_kernel, d_bias = tape.gradient(y, [x, kernel, bias], output_gradients=dy)
        return {"dx": dx, "dKernel": d_kernel, "dBias": d_bias}

    return backward


def normalization_layer(operands, args):
    layer = keras.layers.BatchNormalization(
        axis=args.get("axis", -1),
        momentum=args.get("momentum", 0.99),
        epsilon=args.get("epsilon", 1e-3),
        center="beta" in operands or "dy" in operands,
        scale="gamma" in operands or "dy" in operands,
    )
    layer.build(operands["x"].shape)
    for name, variable in (("gamma", layer.gamma), ("beta", layer.beta)):
        if name in operands and variable is not None:
            variable.assign(operands[name])
    for name, variable in (("movingMean", layer.moving_mean), ("movingVariance", layer.moving_variance)):
        if name in operands:
            variable.assign(operands[name])
    return layer


def normalize(training):
    def forward(operands, args):
        layer = normalization_layer(operands, args)
        y = layer(tf.constant(operands["x"]), training=training)
        if not training:
            return {"y": y}
        return {"y": y, "movingMean": layer.moving_mean.value, "movingVariance": layer.moving_variance.value}

    return forward


def normalize_backward(training):
    def backward(operands, args):
        layer = normalization_layer(operands, args)
        x = tf.constant(operands["x"])
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=training)
        variables = [x, layer.gamma.value, layer.beta.value]
        dx, d_gamma, d_beta = tape.gradient(y, variables, output_gradients=tf.constant(operands["dy"]))
        return {"dx": dx, "dGamma": d_gamma, "dBeta": d_beta}

    return backward


def listed(operands):
    return [tf.constant(operands[f"x{i}"]) for i in range(sum(f"x{i}" in operands for i in range(8)))]


OPERATIONS = {
    **{name: forward_of(compute) for name, compute in UNARY.items()},
    **{f"{name}-backward": backward_of(compute) for name, compute in UNARY.items()},
    "batch-normalization": normalize(False),
    "batch-normalization-training": normalize(True),
    "batch-normalization-backward": normalize_backward(False),
    "batch-normalization-training-backward": normalize_backward(True),
    "add": lambda operands, args: {"y": keras.layers.Add()(listed(operands))},
    "concatenate": lambda operands, args: {"y": tf.concat(listed(operands), args.get("axis", -1))},
}
for name, compute in (("conv2d", conv2d), ("depthwise-conv2d", depthwise_conv2d), ("dense", dense)):
    OPERATIONS[name] = weighted_forward(compute)
    OPERATIONS[f"{name}-backward"] = weighted_backward(compute)

if __name__ == "__main__":
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    serve(tf.__version__, f"CPU (Eigen, oneDNN), with Keras {keras.__version__}, eager", OPERATIONS, {})
