"""Every public function that takes arrays refuses what is none, empty, integer or NaN, by name."""

import inspect

import numpy as np
import pytest
import torch

from hepml_labs import evaluation
from hepml_labs.anomaly import (
    background_fit,
    bump_hunt,
    constituent_autoencoder,
    counting,
    cwola,
    dilution,
    folding,
    latent_score,
    principal_components,
    search,
    topics,
    trials,
)
from hepml_labs.classification import (
    abcd,
    binning,
    distance_correlation,
    logistic,
    reweighting,
    robustness,
    sculpting,
    transfer,
)
from hepml_labs.classification import decorrelation as protected
from hepml_labs.classification import losses as ratio_losses
from hepml_labs.diffusion import adversarial, covariant, event_coordinates, events, paths, sde, shower_maps, variational
from hepml_labs.diffusion import reweighting as correction
from hepml_labs.flows import amplification, bayesian, binned_unfolding, importance_sampling, surrogate, unfolding
from hepml_labs.flows import matrix_element as element
from hepml_labs.flows import morphing as spikes
from hepml_labs.flows.optimal_transport import gaussian_transport
from hepml_labs.nn import gaussian_kl
from hepml_labs.physics import (
    fragmentation,
    higgs_four_leptons,
    jet_radiation,
    morphing,
    photon_showers,
    sampling_showers,
    substructure,
)
from hepml_labs.regression import (
    amplitudes,
    closure,
    evidential,
    gradient_check,
    hadron_response,
    landscape,
    line_shape,
    losses,
    optimizers,
    predictive,
    preprocessing,
    scratch,
    w_decay,
)
from hepml_labs.sbi import bounds, fisher, gold, limits, neyman
from hepml_labs.top_tagging import augmentation, flavour_results, images, inputs, latent, safety

TORCH = torch.full((5,), 1.0), torch.full((5,), float("nan"))
NUMPY = np.full(5, 1.0), np.full(5, np.nan)
#: Functions whose required arguments may all be arrays, with the kind of array that they take.
FUNCTIONS = {
    **{getattr(evaluation, name): NUMPY for name in evaluation.__all__ if name[0].islower() and name != "weight_tails"},
    **{getattr(losses, name): TORCH for name in losses.__all__},
    **dict.fromkeys((gaussian_kl, predictive.total_variance, preprocessing.mean_from_log), TORCH),
    **dict.fromkeys((evidential.student_t_nll, evidential.evidential_split), TORCH),
    **{getattr(amplitudes, name): TORCH for name in amplitudes.__all__ if name[0].islower()},
    **dict.fromkeys((closure.closure_and_resolution, closure.log_response, closure.response_pull), NUMPY),
    **dict.fromkeys((closure.quadrature_fit, gradient_check.relative_error, landscape.bezier), NUMPY),
    **dict.fromkeys((line_shape.breit_wigner, line_shape.energy_scan, hadron_response.log_density), NUMPY),
    **dict.fromkeys((w_decay.neutrino_rapidities, w_decay.transverse_mass), NUMPY),
    **dict.fromkeys((scratch.dense_forward, scratch.dense_backward, scratch.tanh_derivative), NUMPY),
    **dict.fromkeys((optimizers.sgd_update, optimizers.rmsprop_update, optimizers.adam_update), NUMPY),
    **{function: TORCH for function in (*ratio_losses.LOSSES.values(), ratio_losses.cross_entropy)},
    robustness.bernoulli_divergence: TORCH,
    **dict.fromkeys((distance_correlation.distance_correlation, protected.planing_weights), NUMPY),
    **dict.fromkeys((distance_correlation.squared_distance_correlation, robustness.vary_constituents), NUMPY),
    **dict.fromkeys((sculpting.jensen_shannon_divergence, sculpting.sculpting, sculpting.sideband_fit), NUMPY),
    **dict.fromkeys((gold.cross_section, gold.joint_log_ratio, gold.joint_score, neyman.coverage), NUMPY),
    **dict.fromkeys((fisher.information, fisher.attained_information, limits.statistic), NUMPY),
    **dict.fromkeys((limits.extended_log_likelihood, bounds.cramer_rao, bounds.shares), NUMPY),
    **dict.fromkeys((morphing.monomials, morphing.monomial_gradients), NUMPY),
    **dict.fromkeys((flavour_results.discriminant, flavour_results.connected_tracks), NUMPY),
    flavour_results.match_vertices: NUMPY,
    **dict.fromkeys((reweighting.effective_sample_size, reweighting.leaf_log_ratio), NUMPY),
    **dict.fromkeys((transfer.transfer_weights, transfer.transfer_estimate, abcd.independence_test), NUMPY),
    **dict.fromkeys((logistic.newton_step, binning.quantile_edges, binning.apply_edges), NUMPY),
    **dict.fromkeys((inputs.real_particles, inputs.relative_angles, inputs.momentum_shares), TORCH),
    **dict.fromkeys((inputs.particle_features, images.jet_images, images.normalise), TORCH),
    **dict.fromkeys((safety.collinear_split, safety.add_soft, latent.correlations, latent.linear_remainder), TORCH),
    **dict.fromkeys((fragmentation.fragmentation_entropy, substructure.pair_correlation), NUMPY),
    augmentation.turned: TORCH,
    **{getattr(amplification, name): NUMPY for name in amplification.__all__ if name[0].islower()},
    **dict.fromkeys((bayesian.density_band, bayesian.histogram_band, binned_unfolding.bayes_step), NUMPY),
    **dict.fromkeys((importance_sampling.summarize, importance_sampling.unweight), NUMPY),
    **dict.fromkeys((importance_sampling.reference_weight, importance_sampling.unweighting_efficiency), NUMPY),
    **dict.fromkeys((element.estimate, element.log_likelihood, gaussian_transport), NUMPY),
    **dict.fromkeys((spikes.fill_spikes, spikes.restore_spikes, surrogate.effective_gain), NUMPY),
    **dict.fromkeys((surrogate.two_stage_unweight, unfolding.posterior_weights, unfolding.rank_statistic), NUMPY),
    **{getattr(higgs_four_leptons, name): NUMPY for name in higgs_four_leptons.__all__ if name[0].islower()},
    **dict.fromkeys((photon_showers.condition_features, photon_showers.condition_weights), NUMPY),
    **dict.fromkeys((photon_showers.from_smooth, photon_showers.to_smooth), NUMPY),
    **dict.fromkeys(
        (adversarial.critic_loss, adversarial.generator_loss, paths.pair_optimally, sde.langevin_step), TORCH
    ),
    **dict.fromkeys((variational.kl_to_standard_normal, variational.reparametrise), TORCH),
    **dict.fromkeys((covariant.particle_coordinates, covariant.particle_momenta), TORCH),
    **dict.fromkeys((event_coordinates.coordinates, event_coordinates.momenta, events.mirror_images), NUMPY),
    **dict.fromkeys((events.observables, events.passes_cuts, jet_radiation.count_jets), NUMPY),
    **dict.fromkeys((correction.corrected_shares, correction.unweight, shower_maps.fill_below_threshold), NUMPY),
    **dict.fromkeys((shower_maps.stick_fractions, shower_maps.from_stick_fractions), NUMPY),
    **dict.fromkeys((shower_maps.scale_to_layers, sampling_showers.longitudinal_parameters), NUMPY),
    **dict.fromkeys((sampling_showers.shower_features, sampling_showers.simulate_showers), NUMPY),
    **{getattr(counting, name): NUMPY for name in counting.__all__},
    **dict.fromkeys((background_fit.dijet, background_fit.fit_spectrum, bump_hunt.scan), NUMPY),
    **dict.fromkeys((bump_hunt.spurious_signal, trials.bump_hunter, trials.count_upcrossings), NUMPY),
    **dict.fromkeys((cwola.mixed_log_ratio, cwola.pure_log_ratio, dilution.information_share), NUMPY),
    **dict.fromkeys((folding.select_in_folds, latent_score.surprise_in, search.nested_correlation), NUMPY),
    **dict.fromkeys((principal_components.principal_directions, principal_components.residuals), NUMPY),
    **dict.fromkeys((topics.anchor_bins, topics.closure, topics.unmix, topics.pure_area), NUMPY),
    constituent_autoencoder.energy_distance: NUMPY,
}
#: Parts of a training step do not look for NaN: `fit` notices it, and a lab wants to watch a training diverge.
INSIDE_A_TRAINING = {
    gaussian_kl,
    evidential.student_t_nll,
    *(scratch.dense_forward, scratch.dense_backward, scratch.tanh_derivative),
    *(optimizers.sgd_update, optimizers.rmsprop_update, optimizers.adam_update),
    robustness.bernoulli_divergence,
    augmentation.turned,
    *(adversarial.critic_loss, adversarial.generator_loss, variational.reparametrise),
}
#: Energies and counts may be whole numbers.
PHYSICAL_INTEGERS = {
    *(line_shape.breit_wigner, line_shape.energy_scan, sculpting.jensen_shannon_divergence),
    *(trials.bump_hunter, trials.count_upcrossings),
}


def required(function):
    kinds = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters if p.default is p.empty and p.kind in kinds]


@pytest.mark.parametrize("kind", ["empty", "integers", "nan"])
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_bad_arrays_are_refused_by_name(function, kind):
    good, nan = FUNCTIONS[function]
    if (kind == "nan" and function in INSIDE_A_TRAINING) or (kind == "integers" and function in PHYSICAL_INTEGERS):
        pytest.skip("allowed, see above")
    integers = np.arange(5) if good is NUMPY[0] else torch.arange(5)
    bad = {"empty": good[:0], "integers": integers, "nan": nan}[kind]
    names = required(function)
    with pytest.raises(ValueError, match=rf"\b({'|'.join(inspect.signature(function).parameters)})\b"):
        function(*[bad] * len(names))
