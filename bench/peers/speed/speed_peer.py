"""TensorFlow (through Keras) or PyTorch on one job: speed_peer.py tensorflow|pytorch FOLDER THREADS RESULT.json SECONDS WARM

FOLDER is what prepare.mjs wrote: the plan of the model (see plan.mjs), its weights and inputs, the model as a .keras file.
"""

import json
import os
import resource
import sys
import time

peer, folder, threads, result_file, seconds, warm_seconds = sys.argv[1:]
threads, seconds, warm_seconds = int(threads), float(seconds), float(warm_seconds)
job = json.load(open(os.path.join(folder, "job.json")))
os.environ.update(
    KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", OMP_NUM_THREADS=str(threads)
)

import numpy as np



def read(name):
    at = job["arrays"][name]
    count = int(np.prod(at["shape"]))
    return np.fromfile(os.path.join(folder, "arrays.bin"), "<f4", count, offset=at["offset"]).reshape(at["shape"])


def peak_megabytes():
    """The most resident memory. Linux's ru_maxrss also counts that of the process which started this one."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024
    except OSError:
        unit = 1024 if sys.platform == "darwin" else 1
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit / 1024


x, y = read("x"), read("y")


def tensorflow():
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    model = keras.models.load_model(os.path.join(folder, "model.keras"), compile=False)
    images, targets = tf.constant(x), tf.constant(y)
    if job["kind"] == "forward":
        forward = tf.function(lambda batch: model(batch, training=False))
        return lambda: forward(images).numpy(), tf.__version__
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(model.trainable_variables)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            predicted = model(images, training=True)
            loss = tf.reduce_mean(keras.losses.categorical_crossentropy(targets, predicted))
            total = loss + tf.add_n(model.losses)
        gradients = tape.gradient(total, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))
        return loss

    return lambda: step().numpy(), tf.__version__


def pytorch():
    import torch
    import torch.nn.functional as F

    torch.set_num_threads(threads)
    # the layout that is the fastest of PyTorch's on a CPU
    last = {"memory_format": torch.channels_last}
    plan = job["plan"]
    weights = {}
    for name in job["arrays"]:
        if name in ("x", "y"):
            continue
        tensor = torch.from_numpy(read(name))
        if tensor.ndim == 4:
            tensor = tensor.permute(3, 2, 0, 1).contiguous(**last)
        elif name.endswith("/kernel"):
            tensor = tensor.T.contiguous()
        weights[name] = tensor.requires_grad_(job["kind"] == "step" and "/moving_" not in name)

    def window(value, zeros):
        (top, bottom), (left, right) = zeros
        if top == bottom and left == right:
            return value, (top, left)
        return F.pad(value, (left, right, top, bottom)), (0, 0)

    def run(value, training):
        values = {}
        for node in plan["nodes"]:
            op = node["op"]
            inputs = [values[name] for name in node["inputs"]] or [value]
            w = {key: weights[name] for key, name in node.get("weights", {}).items()}
            (first, *rest) = inputs
            if op == "input":
                out = first
            elif op == "conv2d":
                padded, padding = window(first, node["zeros"])
                out = F.conv2d(padded, w["kernel"], w.get("bias"), node["strides"], padding)
            elif op == "batch-normalization":
                moving = (w["moving_mean"], w["moving_variance"])
                share = 1 - node["momentum"]
                out = F.batch_norm(first, *moving, w.get("gamma"), w.get("beta"), training, share, node["epsilon"])
            elif op == "relu":
                out = F.relu(first)
            elif op == "add":
                out = first + rest[0]
            elif op == "zero-padding2d":
                (top, bottom), (left, right) = node["zeros"]
                out = F.pad(first, (left, right, top, bottom))
            elif op in ("max-pooling2d", "average-pooling2d"):
                pool = F.max_pool2d if op.startswith("max") else F.avg_pool2d
                out = pool(first, node["poolSize"], node["strides"])
            elif op == "global-average-pooling2d":
                out = first.mean((2, 3))
            elif op == "flatten":
                out = first.permute(0, 2, 3, 1).flatten(1)
            elif op == "dense":
                out = F.linear(first, w["kernel"], w["bias"])
            elif op == "softmax":
                out = first if training else F.softmax(first, 1)
            else:
                raise ValueError(op)
            values[node["name"]] = out
        return values[plan["output"]]

    images = torch.tensor(x).permute(0, 3, 1, 2).contiguous(**last)
    targets = torch.tensor(y)
    if job["kind"] == "forward":

        def forward():
            with torch.inference_mode():
                return run(images, False).numpy()

        return forward, torch.__version__
    penalized = [weights[n["weights"]["kernel"]] for n in plan["nodes"] if n.get("l2")]
    decayed = {id(weight) for weight in penalized}
    others = [weight for weight in weights.values() if weight.requires_grad and id(weight) not in decayed]
    # the penalty l2 w^2 has the gradient 2 l2 w, which is what this weight decay adds
    groups = [{"params": penalized, "weight_decay": 2e-4}, {"params": others}]
    optimizer = torch.optim.Adam(groups, lr=1e-3, eps=1e-7, fused=True)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(run(images, True), targets)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step, torch.__version__


once, version = {"tensorflow": tensorflow, "pytorch": pytorch}[peer]()
first = once()
begin, warm = time.perf_counter(), 0
while warm < 12 or time.perf_counter() - begin < warm_seconds:
    once()
    warm += 1
times, begin, processor = [], time.perf_counter(), time.process_time()
while len(times) < 5 or time.perf_counter() - begin < seconds:
    start = time.perf_counter()
    once()
    times.append((time.perf_counter() - start) * 1000)
busy = (time.process_time() - processor) / (time.perf_counter() - begin)
times.sort()
json.dump(
    {
        "version": version,
        "median": times[len(times) // 2],
        "quarter": times[len(times) // 4],
        "threeQuarters": times[3 * len(times) // 4],
        "runs": len(times),
        "busy": busy,
        "result": np.asarray(first).ravel()[:10].tolist(),
        "peakMegabytes": peak_megabytes(),
    },
    open(result_file, "w"),
)
