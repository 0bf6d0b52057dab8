"""A training step on PyTorch: in the open, and captured as one CUDA graph.

A step is one batch, one loss, one backward pass, and every group of variables
stepped by its own optimiser. Run eagerly its thousands of small kernels are
launched one by one; captured, they are replayed by a single call. A capture may
neither wait for the host nor copy from it: what is random or changes from step to
step goes in as tensors, and constants made of Python numbers are made once.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from lgcnet_tf.errors import InputError
from lgcnet_tf.training.optimizers import SGD, Adam

Group = tuple[keras.optimizers.Optimizer, Sequence[int]]
"""An optimiser, and the places of its variables among the model's trainable ones."""


def train_step(
    model: keras.Model,
    groups: Sequence[Group],
    images: torch.Tensor,
    labels: torch.Tensor,
    **inputs: Any,
) -> torch.Tensor:
    """One step of a compiled model whose optimisers are built.

    Args:
        model: metrics apart from those in its `compute_loss` are left alone.
        groups: who steps what.
        images: uint8 (batch, height, width, 3).
        labels: int32 (batch, height, width).
        **inputs: given to the model's call too.

    Returns:
        The loss before the step, a scalar on the device.
    """
    with torch.enable_grad():
        logits = model(images, training=True, **inputs)
        loss = model.compute_loss(x=images, y=labels, y_pred=logits, training=True)
        variables = model.trainable_variables
        gradients = torch.autograd.grad(
            loss, [v.value for v in variables], allow_unused=True
        )
    with torch.no_grad():
        for optimizer, places in groups:
            known = [i for i in places if gradients[i] is not None]
            _apply(
                optimizer, [gradients[i] for i in known], [variables[i] for i in known]
            )
    return loss.detach()


def _apply(optimizer, gradients, variables):
    """What `optimizer.apply` does, over all variables at a time."""
    gradients = optimizer._clip_gradients(gradients)
    values = [v.value for v in variables]
    if optimizer.l2:
        gradients = torch._foreach_add(list(gradients), values, alpha=optimizer.l2)
    rate = keras.ops.cast(optimizer.learning_rate, "float32")
    places = [optimizer._get_variable_index(v) for v in variables]
    if isinstance(optimizer, SGD) and optimizer.momentum and not optimizer.nesterov:
        momentums = [optimizer.momentums[i].value for i in places]
        torch._foreach_mul_(momentums, optimizer.momentum)
        torch._foreach_sub_(momentums, torch._foreach_mul(gradients, rate))
        torch._foreach_add_(values, momentums)
    elif isinstance(optimizer, Adam) and not optimizer.amsgrad:
        _adam(optimizer, gradients, values, places, rate)
    else:
        raise InputError(f"no step on a device for {type(optimizer).__name__}.")
    optimizer.iterations.assign_add(1)


def _adam(optimizer, gradients, values, places, rate):
    done = (optimizer.iterations.value + 1).float()
    powers = [torch.pow(beta, done) for beta in (optimizer.beta_1, optimizer.beta_2)]
    rate = rate * torch.sqrt(1.0 - powers[1]) / (1.0 - powers[0])
    means = [optimizer._momentums[i].value for i in places]
    squares = [optimizer._velocities[i].value for i in places]
    torch._foreach_lerp_(means, gradients, 1.0 - optimizer.beta_1)
    torch._foreach_lerp_(
        squares, torch._foreach_mul(gradients, gradients), 1.0 - optimizer.beta_2
    )
    size = torch._foreach_sqrt(squares)
    torch._foreach_add_(size, optimizer.epsilon)
    change = torch._foreach_div(means, size)
    torch._foreach_mul_(change, rate)
    torch._foreach_sub_(values, change)


class Average:
    """Exponential moving average of a model's weights and statistics.

    Early on it is shorter, (1 + n) / (10 + n) after n steps, so that it soon forgets
    the initial weights.

    Args:
        model: built.
        decay: of a step, at most.

    Attributes:
        averages: a tensor for each of the model's variables.
    """

    def __init__(self, model: keras.Model, decay: float):
        self.values = [v.value.detach() for v in model.variables]
        self.averages = [value.clone() for value in self.values]
        self.decay = decay
        self.steps = torch.zeros((), device=self.values[0].device)

    def update(self) -> None:
        """Moves the averages towards the variables; call it after each step."""
        self.steps.add_(1.0)
        share = 1.0 - ((1.0 + self.steps) / (10.0 + self.steps)).clamp(max=self.decay)
        difference = torch._foreach_sub(self.values, self.averages)
        torch._foreach_mul_(difference, share)
        torch._foreach_add_(self.averages, difference)

    def copy_to(self, model: keras.Model) -> None:
        """Sets the variables of the same model, built anew, to the averages."""
        with torch.no_grad():
            for variable, average in zip(model.variables, self.averages, strict=True):
                variable.value.copy_(average)


class Captured:
    """A function of tensors, replayed as one CUDA graph where the tensors are there.

    On a CPU it is called as it is, with the same constants.

    Args:
        function: takes tensors and returns one, or a nest; must not wait for the
            device. It is called a few times before it is captured.
        inputs: tensors on the device, of the shapes of all later calls.
        state: tensors that the function changes; the calls before the capture
            leave no trace in them.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        inputs: Sequence[torch.Tensor],
        state: Sequence[torch.Tensor] = (),
    ):
        self.function, self.inputs = function, [x.clone() for x in inputs]
        self.constants = Constants()
        self.graph = None
        if self.inputs and self.inputs[0].is_cuda:
            self._capture([tensor.detach() for tensor in state])

    def _capture(self, state):
        kept = [tensor.clone() for tensor in state]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream), self.constants:
            for _ in range(3):
                self.function(*self.inputs)
        torch.cuda.current_stream().wait_stream(stream)
        for tensor, value in zip(state, kept):
            tensor.copy_(value)
        self.graph = torch.cuda.CUDAGraph()
        with self.constants, torch.cuda.graph(self.graph):
            self.outputs = self.function(*self.inputs)

    def __call__(self, *values: torch.Tensor) -> Any:
        """The function of these values; a later call overwrites what it returns."""
        for tensor, value in zip(self.inputs, values, strict=True):
            tensor.copy_(value, non_blocking=True)
        if self.graph is None:
            with self.constants:
                return self.function(*self.inputs)
        self.graph.replay()
        return self.outputs


class Constants(TorchFunctionMode):
    """Tensors made of Python numbers and arrays inside of it are made only once.

    Attributes:
        made: how many there are; a steady state makes none.
    """

    def __init__(self):
        super().__init__()
        self._kept: dict[Any, torch.Tensor] = {}

    @property
    def made(self) -> int:
        return len(self._kept)

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function not in (torch.as_tensor, torch.tensor) or not args:
            return function(*args, **kwargs)
        data = args[0]
        if not isinstance(
            data, (bool, int, float, complex, list, tuple, np.ndarray, np.generic)
        ):
            return function(*args, **kwargs)
        if isinstance(data, (list, tuple)) and any(torch.is_tensor(x) for x in data):
            return function(*args, **kwargs)
        array = np.asarray(data)
        key = (
            type(data),
            array.dtype.str,
            array.shape,
            array.tobytes(),
            args[1:],
            tuple(sorted((name, str(value)) for name, value in kwargs.items())),
        )
        if key not in self._kept:
            self._kept[key] = function(*args, **kwargs)
        return self._kept[key]
