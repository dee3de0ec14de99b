"""First guess of the normalised volatility, relative error below 2e-5 in its domain.

The out-of-the-money price is first inverted under the normal (Bachelier) model by a rational
function in closed form, then carried to the lognormal model by an expansion in s0^2 whose
remainder is a fitted polynomial. The coefficients are this project's own minimax fits.
Domain: price/min(F, K) < 0.72, |ln(F/K)| < 12, s < 2.4. NumPy alone may enter.
"""

from collections.abc import Sequence

import numpy as np

from glmtrader.quant._arrays import FloatArray, constants

_NUMERATOR = constants(
    0.3989408840102743,
    -0.07344455157464408,
    0.05982587514243814,
    0.006857810681043605,
    0.0021481979559347403,
    0.0021430513092598794,
)
_DENOMINATOR = constants(
    1.0,
    -0.18425248934538127,
    0.15112942465849014,
    0.01384522199781403,
    0.013689037899220834,
    0.0015774048915405325,
    0.0015151512629771747,
)
# One row a power of q = s0^2; within it ascending powers of 24 lambda.
_REMAINDER = (
    constants(
        0.0007517590361426654, -0.00248915227685511, 0.006315686394357246, -0.0010860141120075599
    ),
    constants(
        -0.0004930676438842754, 0.001281184298687145, -0.0010262466524468428, 0.000898978972609303
    ),
    constants(
        8.490109861168817e-5, -1.8830860264089627e-4, 2.0322407913769347e-4, -2.029568630262512e-4
    ),
    constants(
        -2.8140020539189403e-5, 1.300155997213228e-4, -2.3802098583215305e-4, 1.721297090584803e-4
    ),
)
_FLAT = 1e-12


def polynomial(coefficients: Sequence[FloatArray], x: FloatArray) -> FloatArray:
    """Horner's rule, ascending coefficients, without temporaries."""
    total = x * coefficients[-1]
    for coefficient in coefficients[-2:0:-1]:
        total += coefficient
        total *= x
    total += coefficients[0]
    return total


def guess(gap_to_price: FloatArray, a: FloatArray, d: FloatArray) -> FloatArray:
    """Normalised volatility s = sigma sqrt(T) to about 2e-5.

    Args:
        gap_to_price: |F - K| / out-of-the-money price.
        a: |ln(F/K)|, positive (add a tiny number at the money).
        d: |F - K| / sqrt(F K), positive likewise.
    """
    v = np.log1p(gap_to_price)
    w = np.sqrt(v)
    v *= polynomial(_NUMERATOR, w)
    v /= polynomial(_DENOMINATOR, w)
    s0 = a / v
    return _lognormal(s0, _curvature(a, d))


def _curvature(a: FloatArray, d: FloatArray) -> FloatArray:
    """24 lambda = 24 ln(d/a)/a^2, which tends to 1 at the money (hence the tiny additions)."""
    scaled = np.log(d / a)
    scaled *= 24.0
    scaled += _FLAT
    square = a * a
    square += _FLAT
    scaled /= square
    return scaled


def _lognormal(s0: FloatArray, scaled: FloatArray) -> FloatArray:
    """s0 (1 + lambda q + q^2 P(24 lambda, q)) with q = s0^2."""
    q = s0 * s0
    total = polynomial(_REMAINDER[-1], scaled)
    for row in _REMAINDER[-2::-1]:
        total *= q
        total += polynomial(row, scaled)
    total *= q
    scaled *= 1.0 / 24.0
    total += scaled
    total *= q
    total += 1.0
    total *= s0
    return total
