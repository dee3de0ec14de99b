"""What the HTTP side refuses, as branches of the project's one tree of errors."""

from http import HTTPStatus
from typing import ClassVar

from glmtrader.errors import ConfigurationError, GlmtraderError


class AddressUnavailableError(ConfigurationError):
    """The configured address cannot be listened on."""


class RequestError(GlmtraderError):
    """A request that is not answered; `status` is its HTTP status."""

    status: ClassVar[HTTPStatus] = HTTPStatus.BAD_REQUEST


class UnknownUnderlyingError(RequestError):
    """Asked about an underlying that this run does not trade."""

    status = HTTPStatus.NOT_FOUND


class NotKnownYetError(RequestError):
    """The value has not been published since the start; never answered with a stand-in."""

    status = HTTPStatus.SERVICE_UNAVAILABLE


class MisdirectedRequestError(RequestError):
    """The Host header names another site: a page elsewhere is trying to read through a browser."""

    status = HTTPStatus.MISDIRECTED_REQUEST


class BodyTooLargeError(RequestError):
    """A request with a body, which no route here takes."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
