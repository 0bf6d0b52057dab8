"""One optimiser that steps weights and architecture together.

What `MultiOptimizer` was in tensorflow-addons, for exactly two groups.
"""

import keras


@keras.saving.register_keras_serializable("lgcnet_tf")
class JointOptimizer(keras.optimizers.Optimizer):
    """Routes each variable to one of two optimisers; both step at every step.

    Build it, inside the strategy's scope, on all the trainable variables: it
    builds each of the two on its own.

    Args:
        weights: optimiser of the network's weights.
        architecture: optimiser of the variables whose path has `scope` in it.
        scope: name of the layer that holds the architecture's variables.
    """

    def __init__(self, weights, architecture, scope="architecture", name="joint"):
        super().__init__(learning_rate=0.0, name=name)
        self.inner = {"weights": weights, "architecture": architecture}
        self.scope = scope

    def _split(self, variables):
        groups = {name: [] for name in self.inner}
        for index, variable in enumerate(variables):
            group = "architecture" if self.scope in variable.path.split("/") else "weights"
            groups[group].append(index)
        return groups

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        for name, indices in self._split(variables).items():
            self.inner[name].build([variables[i] for i in indices])

    @property
    def variables(self):
        inner = [v for optimizer in self.inner.values() for v in optimizer.variables]
        return super().variables + inner

    @property
    def learning_rate(self):
        """The weights' current rate."""
        return self.inner["weights"].learning_rate

    def _backend_apply_gradients(self, grads, trainable_variables):
        for name, indices in self._split(trainable_variables).items():
            self.inner[name].apply(
                [grads[i] for i in indices], [trainable_variables[i] for i in indices]
            )

    def get_config(self):
        serialize = keras.optimizers.serialize
        return {
            "name": self.name,
            "scope": self.scope,
            **{name: serialize(inner) for name, inner in self.inner.items()},
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        for name in ("weights", "architecture"):
            config[name] = keras.optimizers.deserialize(config[name])
        return cls(**config)
