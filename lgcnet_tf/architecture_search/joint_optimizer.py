"""One optimiser that steps weights and architecture together.

What `MultiOptimizer` was in tensorflow-addons, with groups by layer.
"""

import keras


@keras.saving.register_keras_serializable("lgcnet_tf")
class JointOptimizer(keras.optimizers.Optimizer):
    """Routes each variable to one of several optimisers; all step at every step.

    Build it, inside the strategy's scope, on all the trainable variables: it
    builds each optimiser on its own.

    Args:
        weights: optimiser of all that is in no scope: the network's weights.
        scopes: optimisers by the name of a layer; each has the variables whose
            path has that name in it, and of several names the innermost counts.
    """

    def __init__(self, weights, scopes, name="joint"):
        super().__init__(learning_rate=0.0, name=name)
        self.scopes = tuple(scopes)
        self.inner = {"weights": weights, **scopes}

    def _split(self, variables):
        groups = {name: [] for name in self.inner}
        for index, variable in enumerate(variables):
            scopes = [part for part in variable.path.split("/") if part in self.scopes]
            groups[scopes[-1] if scopes else "weights"].append(index)
        return groups

    def groups(self, variables):
        """Pairs of an inner optimiser and the places of its variables in the list."""
        split = self._split(variables)
        return [(self.inner[name], split[name]) for name in self.inner if split[name]]

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
            if indices:
                self.inner[name].apply(
                    [grads[i] for i in indices],
                    [trainable_variables[i] for i in indices],
                )

    def get_config(self):
        serialize = keras.optimizers.serialize
        return {
            "name": self.name,
            "weights": serialize(self.inner["weights"]),
            "scopes": {name: serialize(self.inner[name]) for name in self.scopes},
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        deserialize = keras.optimizers.deserialize
        scopes = {name: deserialize(o) for name, o in config["scopes"].items()}
        return cls(deserialize(config["weights"]), scopes, config["name"])
