"""The recipe of the gluon sets: cuts, exact storage, amplitudes that belong to the stored momenta."""

import numpy as np
import pytest

from hepml_labs.datasets.gluons import generate, pack, unpack
from hepml_labs.physics.gluons import squared_amplitude
from hepml_labs.physics.kinematics import delta_r, eta, mass, pt


@pytest.mark.parametrize("outgoing", [3, 4])
def test_stored_momenta_give_back_the_amplitudes(outgoing):
    columns = generate(300, seed=1, outgoing=outgoing)
    packed = pack(columns)
    assert packed["three_momenta"].dtype == np.float32 and packed["three_momenta"].shape == (300, outgoing - 1, 3)
    again = unpack(packed)
    assert np.array_equal(again["momenta"], columns["momenta"])
    assert np.array_equal(again["amplitude"], columns["amplitude"])
    np.testing.assert_allclose(again["leading_color"], columns["leading_color"], rtol=1e-7)
    np.testing.assert_allclose(squared_amplitude(again["momenta"]).full_color, columns["amplitude"], rtol=1e-9)


def test_events_pass_the_cuts_and_balance():
    momenta = generate(500, seed=2, outgoing=4)["momenta"]
    gluons = momenta[:, 2:]
    first, second = np.triu_indices(4, 1)
    assert pt(gluons).min() > 50 and np.abs(eta(gluons)).max() < 5
    assert delta_r(gluons[:, first], gluons[:, second]).min() > 0.4
    np.testing.assert_allclose(momenta[:, :2].sum(1), gluons.sum(1), atol=1e-9)
    np.testing.assert_allclose(mass(momenta[:, :2].sum(1)), 1000.0, rtol=1e-6)


def test_a_smaller_set_opens_the_larger_one_and_seeds_differ():
    small, large = generate(5, seed=3, outgoing=3), generate(50, seed=3, outgoing=3)
    assert np.array_equal(small["momenta"], large["momenta"][:5])
    assert not np.array_equal(small["momenta"], generate(5, seed=4, outgoing=3)["momenta"])


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="^n: found 0"):
        generate(0, seed=1, outgoing=3)
    with pytest.raises(ValueError, match="^outgoing: found 9"):
        generate(5, seed=1, outgoing=9)
    columns = generate(5, seed=1, outgoing=3)
    with pytest.raises(ValueError, match="^momenta: found some"):
        pack({**columns, "momenta": columns["momenta"] * 1.1})
