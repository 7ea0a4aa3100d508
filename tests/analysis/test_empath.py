"""Tests of the Gabor bank against its textbook definition, and of the embedding as a PCA."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cs231n_fer.analysis import empath
from cs231n_fer.analysis.empath import (
    ORIENTATIONS,
    SCALES,
    SIGMA,
    embed,
    fit_embedding,
    fit_pca,
    gabor_bank,
    gabor_kernel,
    gabor_magnitudes,
    project,
    wave_number,
)

SIDE = 12


def noise(n, side=SIDE, seed=0, dtype=np.float64):
    """Return write-protected random pictures (n, side, side)."""
    faces = np.random.default_rng(seed).uniform(0, 255, (n, side, side)).astype(dtype)
    faces.setflags(write=False)
    return faces


@pytest.fixture(scope="module")
def small_bank():
    return gabor_bank(SIDE, step=4, scales=2, orientations=4, dtype=np.float64)


@pytest.mark.parametrize("scale", range(SCALES))
@pytest.mark.parametrize("sigma", [np.pi, 2 * np.pi])
def test_a_kernel_is_the_formula_of_lades_and_sees_no_even_light(scale, sigma):
    kernel = gabor_kernel(scale, 3, sigma)
    k = np.pi / 2 ** (1 + scale / 2)
    y, x = np.indices(kernel.shape) - len(kernel) // 2
    phase = k * (x * np.cos(3 * np.pi / 8) + y * np.sin(3 * np.pi / 8))
    formula = (k / sigma) ** 2 * np.exp(-(k / sigma) ** 2 * (x ** 2 + y ** 2) / 2) * (
        np.exp(1j * phase) - np.exp(-sigma ** 2 / 2))
    outside = 2 * 6.4e-5  # the share of a Gaussian beyond 4 standard deviations, in two directions
    np.testing.assert_allclose(kernel, formula, atol=outside * (k / sigma) ** 2)
    assert abs(kernel.sum()) < 1e-12


def test_a_kernel_is_hermitian_and_a_quarter_turn_is_four_orientations():
    kernel = gabor_kernel(1, 2)
    np.testing.assert_allclose(kernel[::-1, ::-1], kernel.conj(), atol=1e-15)
    np.testing.assert_allclose(gabor_kernel(1, 4), gabor_kernel(1, 0).T, atol=1e-15)


@pytest.mark.parametrize("scale, orientation", [(0, 0), (1, 3), (4, 6)])
def test_a_kernel_is_that_of_scikit_image(scale, orientation):
    filters = pytest.importorskip("skimage.filters")
    k = wave_number(scale)
    theirs = filters.gabor_kernel(k / (2 * np.pi), orientation * np.pi / ORIENTATIONS,
                                  sigma_x=SIGMA / k, sigma_y=SIGMA / k, n_stds=4)
    # Unit gain, no response to DC.
    theirs = 2 * np.pi * (theirs - np.abs(theirs) * theirs.sum() / np.abs(theirs).sum())
    ours = gabor_kernel(scale, orientation)
    rows, columns = ((size - theirs.shape[axis]) // 2 for axis, size in enumerate(ours.shape))
    # Their filter is cropped at other positions.
    inside = ours[rows:len(ours) - rows, columns:ours.shape[1] - columns]
    np.testing.assert_allclose(inside, theirs, atol=1e-3 * np.abs(ours).max())


def test_the_bank_is_the_correlation_of_a_mirrored_face_with_every_kernel(small_bank):
    face = noise(1)
    responses = (face.reshape(1, -1) @ small_bank[0] + 1j
                 * face.reshape(1, -1) @ small_bank[1]).reshape(2, 4, 3, 3)
    for scale, orientation in np.ndindex(2, 4):
        kernel = gabor_kernel(scale, orientation, orientations=4)
        mirrored = np.pad(face[0], len(kernel) // 2, mode="symmetric")
        for row, column in np.ndindex(3, 3):
            top = 2 + 4 * row
            left = 2 + 4 * column
            seen = mirrored[top:top + len(kernel), left:left + len(kernel)]
            np.testing.assert_allclose(responses[scale, orientation, row, column],
                                       (kernel * seen).sum(), rtol=1e-9)


def test_the_bank_is_that_of_scipy(small_bank):
    ndimage = pytest.importorskip("scipy.ndimage")
    face = noise(1)
    even, odd = ((face.reshape(1, -1) @ part).reshape(2, 4, 3, 3) for part in small_bank)
    for scale, orientation in np.ndindex(2, 4):
        kernel = gabor_kernel(scale, orientation, orientations=4)
        for part, ours in ((kernel.real, even), (kernel.imag, odd)):
            theirs = ndimage.correlate(face[0], part, mode="reflect")[2::4, 2::4]
            np.testing.assert_allclose(ours[scale, orientation], theirs, rtol=1e-9, atol=1e-9)


def test_the_energy_of_all_responses_is_that_of_the_spectrum_under_the_filters():
    """Parseval on the even extension of period 2 SIDE; all orientations together see each of its
    four parts alike."""
    bank = gabor_bank(SIDE, step=1, scales=1, dtype=np.float64)
    face = noise(1)
    period = 2 * SIDE
    spectrum = np.abs(np.fft.fft2(np.pad(face[0], (0, SIDE), mode="symmetric"))) ** 2
    gains = np.zeros((period, period))
    for orientation in range(ORIENTATIONS):
        kernel = gabor_kernel(0, orientation)
        wrapped = np.zeros((period, period), complex)
        y, x = (np.indices(kernel.shape) - len(kernel) // 2) % period
        np.add.at(wrapped, (y, x), kernel.conj())
        gains += np.abs(np.fft.fft2(wrapped)) ** 2
    energy = (gabor_magnitudes(face, bank) ** 2).sum()
    np.testing.assert_allclose(energy, (spectrum * gains).sum() / period ** 2 / 4, rtol=1e-9)


@pytest.fixture(scope="module")
def full_bank():
    return gabor_bank()


@settings(max_examples=40, deadline=None)
@given(
    scale=st.integers(0, SCALES - 2),
    orientation=st.integers(0, ORIENTATIONS - 1),
    phase=st.floats(0, 6.28),
)
def test_a_wave_is_seen_most_by_the_filter_of_its_length_and_direction_whatever_its_phase(
    full_bank, scale, orientation, phase
):
    y, x = np.indices((48, 48))
    angle = np.pi * orientation / ORIENTATIONS
    wave = np.cos(wave_number(scale) * (x * np.cos(angle) + y * np.sin(angle)) + phase)[None]
    # Far from the border
    seen = gabor_magnitudes(wave, full_bank).reshape(SCALES, ORIENTATIONS, 8, 8)[:, :, 3:5, 3:5]
    assert np.unravel_index(seen.mean(axis=(2, 3)).argmax(),
                            (SCALES, ORIENTATIONS)) == (scale, orientation)
    own = seen[scale, orientation]
    # The magnitude depends on the amplitude of a wave, not on its phase.
    assert np.ptp(own) < 0.1 * own.mean()
    assert (seen[scale, (orientation + ORIENTATIONS // 2) % ORIENTATIONS] < 0.1 * own).all()


def test_light_that_is_even_or_added_changes_nothing(small_bank):
    faces = noise(3)
    np.testing.assert_allclose(gabor_magnitudes(np.full((1, SIDE, SIDE), 200.0), small_bank), 0,
                               atol=1e-10)
    np.testing.assert_allclose(gabor_magnitudes(faces + 50, small_bank),
                               gabor_magnitudes(faces, small_bank), rtol=1e-9)


def test_the_mirror_image_of_a_face_has_its_responses_mirrored(small_bank):
    faces = noise(2, side=9)
    bank = gabor_bank(9, step=3, scales=1, dtype=np.float64)
    direct, flipped = (gabor_magnitudes(x, bank).reshape(2, 8, 3, 3)
                       for x in (faces, faces[:, :, ::-1]))
    mirrored_orientation = -np.arange(8) % 8
    np.testing.assert_allclose(flipped, direct[:, mirrored_orientation, :, ::-1], rtol=1e-9)


@pytest.mark.parametrize("dtype, tolerance", [(np.float32, 2e-3), (np.float64, 1e-9)])
def test_the_embedding_is_the_svd_of_the_z_scored_magnitudes_in_batches_of_any_size(
        monkeypatch, dtype, tolerance):
    monkeypatch.setattr(empath, "BATCH_SIZE", 13)
    bank = gabor_bank(SIDE, step=6, scales=2, orientations=4, dtype=dtype)
    faces = noise(60, dtype=dtype)
    pca = fit_embedding(faces, bank, 5)
    magnitudes = gabor_magnitudes(faces, bank).astype(np.float64)
    z = (magnitudes - magnitudes.mean(axis=0)) / magnitudes.std(axis=0)
    _, singular, rows = np.linalg.svd(z, full_matrices=False)
    rows *= np.sign(rows[np.arange(len(rows)), np.abs(rows).argmax(axis=1)])[:, None]
    np.testing.assert_allclose(pca.components, rows[:5], atol=tolerance)
    np.testing.assert_allclose(pca.variances, singular[:5] ** 2 / 60, rtol=tolerance)
    projections = embed(faces[:, None], bank, pca)
    assert projections.dtype == pca.components.dtype == dtype
    np.testing.assert_allclose(projections, z @ rows[:5].T / np.sqrt(pca.variances),
                               atol=10 * tolerance)


def test_components_are_orthonormal_and_all_of_them_rebuild_the_magnitudes(small_bank):
    faces = noise(100)
    pca = fit_embedding(faces, small_bank, small_bank.shape[2])
    np.testing.assert_allclose(pca.components @ pca.components.T, np.eye(small_bank.shape[2]),
                               atol=1e-9)
    z = embed(faces, small_bank, pca) * np.sqrt(pca.variances) @ pca.components
    np.testing.assert_allclose(z * pca.scale + pca.mean, gabor_magnitudes(faces, small_bank),
                               rtol=1e-6)


def test_training_faces_alone_decide_how_other_faces_are_embedded(small_bank):
    training = noise(80)
    others = 3 * noise(20, seed=1)
    pca = fit_embedding(training, small_bank, 6)
    inside = embed(training, small_bank, pca)
    np.testing.assert_allclose([inside.mean(axis=0), inside.std(axis=0)], [[0] * 6, [1] * 6],
                               atol=1e-9)
    np.testing.assert_allclose(embed(others[:1], small_bank, pca),
                               embed(others, small_bank, pca)[:1], rtol=1e-9)
    # Standardization must not remove the threefold contrast.
    assert embed(others, small_bank, pca).std(axis=0).min() > 1.5


def test_a_magnitude_that_never_changes_is_left_out(small_bank):
    pca = fit_embedding(np.full((4, SIDE, SIDE), 7.0), small_bank, 2)
    assert (embed(noise(2), small_bank, pca) * np.sqrt(pca.variances) == 0).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_components_beyond_the_rank_of_the_data_have_no_variance_and_are_not_blown_up(dtype):
    features = np.random.default_rng(0).standard_normal((5, 9)).astype(dtype)
    pca = fit_pca([features], 9)
    # 5 samples minus their mean have rank 4.
    assert (pca.variances[:4] > 0.1).all() and (pca.variances[4:] == 0).all()
    assert np.abs(project(np.random.default_rng(1).standard_normal((5, 9)).astype(dtype),
                          pca)).max() < 100


@pytest.mark.parametrize("call, message", [
    (lambda: gabor_kernel(-1, 0), "scale: got -1"),
    (lambda: gabor_kernel(0, 8), "orientation: got 8, expected 0 to 7"),
    (lambda: gabor_kernel(0, 0, sigma=0), "sigma: got 0"),
    (lambda: gabor_bank(8, step=9), "step: got 9, expected 1 to 8"),
    (lambda: gabor_magnitudes(noise(1, 10), np.zeros((2, 144, 3))),
     r"faces: got shape \(1, 10, 10\).*144 pixels"),
    (lambda: gabor_magnitudes(np.zeros((144, 2)), np.zeros((2, 144, 3))),
     r"faces: got shape \(144, 2\)"),
    (lambda: fit_pca([np.ones((9, 3))], 4), "num_components: got 4, expected 1 to 3"),
    (lambda: fit_pca([np.ones((1, 3))], 1), "batches: hold 1 samples, expected at least 2"),
    (lambda: fit_pca([], 1), "batches: hold 0 samples"),
])
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
