"""What noise loses of a unit's privacy, by OpenDP's mathematics [OpenDP]: none of the formulas are ours.

A loss is computed from the noise that is drawn, its scale beside what one unit can change, and never from what a study asked for. Counted
are the shares of any two servers: the third may be a friend of whoever looks. Losses of columns, releases and runs are composed as if
each was chosen after seeing the others [BS16]. Of noise with a pure ε each column counts ρ = ε²/2; ρ is told as an ε at a δ [CKS20].
"""

from __future__ import annotations

import functools
import importlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import SimpleNamespace
from typing import Any, TypeVar

from accord.base.errors import Refused
from accord.release.noise import GAUSSIAN, LAPLACE, ColumnNoise

Name = TypeVar("Name")
EPSILON, RHO = "epsilon", "rho"
DIGITS = 12
"""Of a loss as a fraction: rounded up, but for what doubles make of exact numbers."""
DIGITS_SHOWN, DIGITS_SHOWN_AT_DELTA = 6, 4
_DUST = 1 - Fraction(1, 10**14)


@dataclass(frozen=True)
class Law:
    """The noise of one column as it is drawn: `size` is the scale of discrete Laplace, the variance of discrete Gaussian noise, of any two
    servers' shares; one unit changes the column by at most `sensitivity`. `delta` is a chance that the mechanism may fail by itself."""

    mechanism: str
    size: Fraction
    sensitivity: int
    delta: Fraction = Fraction(0)

    @staticmethod
    def of(noise: ColumnNoise) -> Law:
        """What a column's noise draws."""
        size = noise.scale if noise.mechanism == LAPLACE else noise.variance
        return Law(noise.mechanism, size, noise.sensitivity, getattr(noise, "delta", Fraction(0)))

    @staticmethod
    def losing(measure: str, loss: Fraction) -> Law:
        """A law that loses so much of a unit that changes it by one."""
        return Law(LAPLACE, 1 / loss, 1) if measure == EPSILON else Law(GAUSSIAN, 1 / (2 * loss), 1)

    @property
    def is_pure(self) -> bool:
        return self.mechanism == LAPLACE

    def document(self) -> dict[str, Any]:
        """As plain data."""
        failing = {"delta": str(self.delta)} if self.delta else {}
        size = "scale" if self.is_pure else "variance"
        return {"mechanism": self.mechanism, size: str(self.size), "sensitivity": self.sensitivity, **failing}

    @staticmethod
    def read(document: Mapping[str, Any]) -> Law:
        """Raises KeyError, TypeError or ValueError for what is no law."""
        size = Fraction(document["scale" if document["mechanism"] == LAPLACE else "variance"])
        if size <= 0 or type(document["sensitivity"]) is not int or document["sensitivity"] < 1:
            raise ValueError("a law has a size and a sensitivity above 0")
        return Law(document["mechanism"], size, document["sensitivity"], Fraction(document.get("delta", "0")))


@dataclass(frozen=True)
class Loss:
    """What all laws together lose of one unit."""

    laws: tuple[Law, ...]

    @property
    def is_pure(self) -> bool:
        """Whether an ε holds without a δ."""
        return all(law.is_pure and not law.delta for law in self.laws)

    @property
    def epsilon(self) -> Fraction:
        """Pure ε of the laws that have one: the others count nothing here."""
        pure = tuple(law for law in self.laws if law.is_pure)
        return _up(_pure(pure).map(1)) if pure else Fraction(0)

    @property
    def rho(self) -> Fraction:
        """ρ of all, pure ones too."""
        return _up(_concentrated(self.laws).map(1)) if self.laws else Fraction(0)

    @property
    def failing(self) -> Fraction:
        """The chance that some mechanism fails by itself."""
        return sum((law.delta for law in self.laws), Fraction(0))

    def epsilon_at(self, delta: Fraction) -> Fraction:
        """The least ε known that holds but for a chance of δ: the pure one, where only thresholds may fail, or the one that follows from ρ.
        Raises Refused where the mechanisms' own failing takes all of δ."""
        if self.is_pure:
            return self.epsilon
        left, found = delta - self.failing, []
        if left >= 0 and all(law.is_pure for law in self.laws):
            found.append(self.epsilon)
        if left > 0:
            profile = _opendp().combinators.make_zCDP_to_approxDP(_concentrated(self.laws)).map(1)
            found.append(_up(profile.epsilon(_below(left))))
        if not found:
            rule = f"above {float(self.failing):g}, the chance that its noise fails by itself"
            raise Refused(f"delta = {float(delta):g}", rule=rule, do="state a larger delta")
        return min(found)

    def told(self, delta: Fraction) -> dict[str, str]:
        """The figures as text: ε alone where it is pure; else ρ, and ε at δ."""
        if self.is_pure:
            return {EPSILON: shown(self.epsilon)}
        epsilon = shown(self.epsilon_at(delta), DIGITS_SHOWN_AT_DELTA)
        return {RHO: shown(self.rho), "delta": f"{float(delta):g}", EPSILON: epsilon}

    def sentence(self, hidden: str, delta: Fraction) -> str:
        """What it means for one unit, for people."""
        if not self.laws:
            return f"nothing that is shown depends on {hidden}"
        told = self.told(delta)
        bound = f"whatever anybody concludes from it is at most {_factor(self.epsilon_at(delta))} times as likely as without {hidden}"
        if self.is_pure:
            return f"its noise loses ε = {told[EPSILON]}: {bound}"
        return (
            f"its noise loses ρ = {told[RHO]}, which is ε = {told[EPSILON]} at δ = {told['delta']}: {bound}, "
            f"but for a chance of 1 in {math.floor(1 / delta):,}"
        )


def loss_of(noise: Iterable[ColumnNoise]) -> Loss:
    """Of a release's columns."""
    return Loss(tuple(laws_of(enumerate(noise)).values()))


def laws_of(noise: Iterable[tuple[Name, ColumnNoise]]) -> dict[Name, Law]:
    """The laws that are composed, each by the first column that has it: a family's counts once, since one unit moves all its columns
    together by no more than one of them. A column that no unit reaches has no noise, and loses nothing."""
    found: dict[Name, Law] = {}
    families = set[tuple[str, Law]]()
    for name, one in noise:
        law = Law.of(one)
        if one.sensitivity and not (one.family and (one.family, law) in families):
            found[name] = law
            families.add((one.family, law))
    return found


def together(losses: Iterable[Loss]) -> Loss:
    """Of several releases, or runs."""
    return Loss(tuple(law for one in losses for law in one.laws))


def shown(loss: Fraction, digits: int = DIGITS_SHOWN) -> str:
    """A loss as a decimal, rounded up."""
    whole, rest = divmod(math.ceil(loss * 10**digits), 10**digits)
    return f"{whole}.{rest:0{digits}d}".rstrip("0").rstrip(".")


# ---- OpenDP


@functools.cache
def _opendp() -> SimpleNamespace:
    """Its modules, each alone: the prelude would import scikit-learn too."""
    try:
        found = {name: importlib.import_module(f"opendp.{name}") for name in ("combinators", "measurements", "transformations", "mod")}
        domains, metrics = importlib.import_module("opendp.domains"), importlib.import_module("opendp.metrics")
    except ImportError as error:
        raise Refused(
            "noise cannot be accounted for on this machine",
            rule="what noise loses is computed by OpenDP, which is not installed",
            do="install Accord with its extra: accord[dp]",
        ) from error
    found["mod"].enable_features("contrib", "honest-but-curious")  # the second: our `_unit` is a transformation of the user's
    return SimpleNamespace(**found, space=(domains.atom_domain(T="i64"), metrics.absolute_distance(T="i64")))


def _unit(law: Law) -> Any:
    """From how many units differ to how far the column does."""
    dp, sensitivity = _opendp(), law.sensitivity
    return dp.transformations.make_user_transformation(*dp.space, *dp.space, lambda value: value, lambda units: units * sensitivity)


def _pure(laws: tuple[Law, ...]) -> Any:
    dp = _opendp()
    return dp.combinators.make_composition([_unit(law) >> dp.measurements.make_laplace(*dp.space, scale=_below(law.size)) for law in laws])


def _concentrated(laws: tuple[Law, ...]) -> Any:
    dp = _opendp()
    pure = [dp.combinators.make_pureDP_to_zCDP(_pure((law,))) for law in laws if law.is_pure]
    rest = [_unit(law) >> dp.measurements.make_gaussian(*dp.space, scale=_root_below(law.size)) for law in laws if not law.is_pure]
    return dp.combinators.make_composition([*pure, *rest])


def _below(value: Fraction) -> float:
    """The double at or below: smaller noise, or a smaller δ, is the larger loss."""
    near = float(value)
    return near if Fraction(near) <= value else math.nextafter(near, 0.0)


def _root_below(value: Fraction) -> float:
    near = math.sqrt(_below(value))
    return near if Fraction(near) ** 2 <= value else math.nextafter(near, 0.0)


def _up(loss: float) -> Fraction:
    """A loss with twelve decimals, rounded up but for the last digits of a double."""
    if not math.isfinite(loss):
        raise Refused("this noise loses everything", rule="a loss is a number", do="ask for a smaller loss")
    return Fraction(math.ceil(Fraction(loss) * 10**DIGITS * _DUST), 10**DIGITS)


def _factor(epsilon: Fraction) -> str:
    """e^ε with three digits, rounded up."""
    exact = math.exp(float(epsilon))
    power = max(math.floor(math.log10(exact)) - 2, -2)
    rounded = math.ceil(Fraction(exact) * _DUST / Fraction(10) ** power) * Fraction(10) ** power
    return f"{float(rounded):,.{max(0, -power)}f}"
