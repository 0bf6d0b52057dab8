import pytest

from lgcnet_tf.commands.sweep import STAGE_OPTIONS
from lgcnet_tf.errors import InputError
from lgcnet_tf.sweep.vary import parse_vary, setting_name, settings, trial_name


def test_axes_in_order():
    axes = parse_vary(
        " latency_weight=0.001, 5e-3 ;communication=none,ggm;", STAGE_OPTIONS
    )
    assert axes == {
        "latency_weight": ("0.001", "5e-3"),
        "communication": ("none", "ggm"),
    }
    assert list(axes) == ["latency_weight", "communication"]


def test_values_with_commas_and_those_of_finetune():
    assert parse_vary(
        "fusion_taps=0,7,13|1,7,13;finetune.lr=0.1;input_size=8x9", STAGE_OPTIONS
    ) == {
        "fusion_taps": ("0,7,13", "1,7,13"),
        "finetune.lr": ("0.1",),
        "input_size": ("8x9",),
    }


def test_product():
    axes = {"a": ("1", "2"), "b": ("x", "y", "z")}
    found = settings(axes)
    assert len(found) == 6 and found[1] == {"a": "1", "b": "y"}
    assert settings(parse_vary("", STAGE_OPTIONS)) == [{}]


def test_names():
    setting = {"fusion_taps": "0,7,13", "finetune.lr": "1e-3"}
    assert trial_name(setting, 2) == "fusion_taps-0-7-13_finetune.lr-1e-3_seed-2"
    assert setting_name(setting) == "fusion_taps=0,7,13 finetune.lr=1e-3"
    assert (trial_name({}, 0), setting_name({})) == ("seed-0", "all")


@pytest.mark.parametrize(
    "text, message",
    [
        ("nosuch=1", "lgcnet-search has no flag --nosuch"),
        ("lr=0.1", "write finetune.lr"),
        ("finetune.gamma=1", "lgcnet-finetune has no flag --gamma"),
        ("seed=1,2", "--seeds"),
        ("output_dir=a", "the sweep sets output_dir"),
        ("finetune.model=a", "the sweep sets model"),
        ("communication", "needs values"),
        ("communication=", "needs values"),
        ("communication=none,,ggm", "needs values"),
        ("communication=none,none", "value twice"),
        ("gamma=1;gamma=2", "stands there twice"),
        ("communication=telepathy", "one of .*ggm.*Received: 'telepathy'"),
        ("latency_weight=-1", "at least 0"),
        ("alpha_lr=0", "above 0"),
        ("epochs=two", "Received: 'two'"),
        ("input_size=12", "HEIGHTxWIDTH"),
        ("fusion_taps=0,b", "Received: '0,b'"),
        ("deterministic=maybe", "Received: 'maybe'"),
    ],
)
def test_refuses(text, message):
    with pytest.raises(InputError, match=message) as caught:
        parse_vary(text, STAGE_OPTIONS)
    assert "\n" not in str(caught.value)
