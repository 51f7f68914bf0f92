"""PyTorch's kernels on the CPU. Gradients are those of autograd.

Images are NHWC here and NCHW there. torch has no SAME with strides: images are framed before, with zeros, or with -Infinity
for the maximum, as its documentation advises. An average that leaves the frame out needs equal frames on both sides.
"""

import torch
import torch.nn.functional as F

from peer_server import NotOffered, pair, serve, zeros_around


def images(x):
    return x.permute(0, 3, 1, 2)


def back(y):
    return y.permute(0, 2, 3, 1)


def frame(x, window, strides, rates, padding):
    """Zeros before and after rows and columns of x, NCHW."""
    if padding != "same":
        return (0, 0), (0, 0)
    return tuple(zeros_around(x.shape[2 + i], window[i], strides[i], rates[i]) for i in (0, 1))


def framed(x, rows, columns, value=0.0):
    return F.pad(x, (*columns, *rows), value=value) if any((*rows, *columns)) else x


def convolve(x, kernel, args, groups):
    strides, rates = pair(args.get("strides")), pair(args.get("dilationRate"))
    x, kernel = images(x), kernel.permute(3, 2, 0, 1)
    rows, columns = frame(x, kernel.shape[2:], strides, rates, args.get("padding"))
    return back(F.conv2d(framed(x, rows, columns), kernel, stride=strides, dilation=rates, groups=groups))


def conv2d(x, kernel, args):
    return convolve(x, kernel, args, args.get("groups", 1))


def depthwise_conv2d(x, kernel, args):
    height, width, channels, multiplier = kernel.shape
    return convolve(x, kernel.reshape(height, width, 1, channels * multiplier), args, channels)


def dense(x, kernel, args):
    return F.linear(x, kernel.mT)


def average_pool(x, args):
    size = pair(args.get("poolSize"), (2, 2))
    strides = pair(args.get("strides"), size)
    x = images(x)
    rows, columns = frame(x, size, strides, (1, 1), args.get("padding"))
    if rows[0] != rows[1] or columns[0] != columns[1] or 2 * rows[0] > size[0] or 2 * columns[0] > size[1]:
        raise NotOffered("padding of avg_pool2d is the same on both sides, and at most half the window")
    padding = (rows[0], columns[0])
    return back(F.avg_pool2d(x, size, strides, padding, count_include_pad=False))


def max_pool(x, args):
    size = pair(args.get("poolSize"), (2, 2))
    strides = pair(args.get("strides"), size)
    x = images(x)
    rows, columns = frame(x, size, strides, (1, 1), args.get("padding"))
    return back(F.max_pool2d(framed(x, rows, columns, float("-inf")), size, strides))


def global_max(x, args):
    y = back(F.adaptive_max_pool2d(images(x), 1))
    return y if args.get("keepdims", False) else y.flatten(1)


def relu(x, args):
    if args.get("maxValue") is not None or args.get("threshold", 0) != 0 or args.get("negativeSlope", 0) != 0:
        raise NotOffered("relu has no arguments")
    return F.relu(x)


UNARY = {
    "average-pooling2d": average_pool,
    "max-pooling2d": max_pool,
    "global-average-pooling2d": lambda x, args: x.mean(dim=(1, 2), keepdim=args.get("keepdims", False)),
    "global-max-pooling2d": global_max,
    "relu": relu,
    "relu6": lambda x, args: F.relu6(x),
    "leaky-relu": lambda x, args: F.leaky_relu(x, args.get("negativeSlope", 0.3)),
    "sigmoid": lambda x, args: torch.sigmoid(x),
    "tanh": lambda x, args: torch.tanh(x),
    "softmax": lambda x, args: F.softmax(x, dim=args.get("axis", -1)),
    "rescaling": lambda x, args: x * args["scale"] + args.get("offset", 0.0),
    "zero-padding2d": lambda x, args: F.pad(x, (0, 0, *args["padding"][1], *args["padding"][0])),
}


def tensors(operands):
    return {name: torch.from_numpy(value) for name, value in operands.items()}


def forward_of(compute):
    return lambda operands, args: {"y": compute(tensors(operands)["x"], args)}


def backward_of(compute):
    def backward(operands, args):
        given = tensors(operands)
        x = given["x"].requires_grad_()
        (dx,) = torch.autograd.grad(compute(x, args), x, given["dy"])
        return {"dx": dx}

    return backward


def weighted_forward(compute):
    def forward(operands, args):
        given = tensors(operands)
        y = compute(given["x"], given["kernel"], args)
        return {"y": y + given["bias"] if "bias" in given else y}

    return forward


def weighted_backward(compute):
    def backward(operands, args):
        given = tensors(operands)
        x, kernel = given["x"].requires_grad_(), given["kernel"].requires_grad_()
        bias = torch.zeros(given["dy"].shape[-1], requires_grad=True)
        y = compute(x, kernel, args) + bias
        dx, d_kernel, d_bias = torch.autograd.grad(y, [x, kernel, bias], given["dy"])
        return {"dx": dx, "dKernel": d_kernel, "dBias": d_bias}

    return backward


def normalize(given, args, training):
    """F.batch_norm; moving statistics are updated in place. Its momentum is the part of the new, Keras's that of the old."""
    axis = args.get("axis", -1)
    y = F.batch_norm(
        given["x"].movedim(axis, 1),
        given.get("movingMean"),
        given.get("movingVariance"),
        given.get("gamma"),
        given.get("beta"),
        training,
        1 - args.get("momentum", 0.99),
        args.get("epsilon", 1e-3),
    )
    return y.movedim(1, axis)


def normalization(training):
    def forward(operands, args):
        given = tensors(operands)
        y = normalize(given, args, training)
        # the moving variance is left out: PyTorch documents that it is updated with the sample variance, Keras's with the
        # population's
        return {"y": y, **({"movingMean": given["movingMean"]} if training and "movingMean" in given else {})}

    return forward


def normalization_backward(training):
    def backward(operands, args):
        given = tensors(operands)
        channels = given["x"].shape[args.get("axis", -1)]
        x = given["x"].requires_grad_()
        gamma = given.setdefault("gamma", torch.ones(channels)).requires_grad_()
        beta = given.setdefault("beta", torch.zeros(channels)).requires_grad_()
        y = normalize(given, args, training)
        dx, d_gamma, d_beta = torch.autograd.grad(y, [x, gamma, beta], given["dy"])
        return {"dx": dx, "dGamma": d_gamma, "dBeta": d_beta}

    return backward


def listed(operands):
    given = tensors(operands)
    return [given[f"x{i}"] for i in range(sum(f"x{i}" in given for i in range(8)))]


OPERATIONS = {
    **{name: forward_of(compute) for name, compute in UNARY.items()},
    **{f"{name}-backward": backward_of(compute) for name, compute in UNARY.items()},
    "batch-normalization": normalization(False),
    "batch-normalization-training": normalization(True),
    "batch-normalization-backward": normalization_backward(False),
    "batch-normalization-training-backward": normalization_backward(True),
    "add": lambda operands, args: {"y": sum(listed(operands)[1:], listed(operands)[0])},
    "concatenate": lambda operands, args: {"y": torch.cat(listed(operands), args.get("axis", -1))},
}
for name, compute in (("conv2d", conv2d), ("depthwise-conv2d", depthwise_conv2d), ("dense", dense)):
    OPERATIONS[name] = weighted_forward(compute)
    OPERATIONS[f"{name}-backward"] = weighted_backward(compute)


def detached(run):
    return lambda operands, args: {name: y.detach().contiguous() for name, y in run(operands, args).items()}


if __name__ == "__main__":
    torch.set_num_threads(1)
    serve(torch.__version__, "CPU (oneDNN, MKL), eager", {name: detached(run) for name, run in OPERATIONS.items()}, {})
