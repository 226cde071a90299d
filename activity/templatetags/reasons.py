"""Why a request failed or was refused, in words for who sent it."""

from django import template

register = template.Library()

# Beside the code, which is what the API answered. Kinds of routing/errors.py and failures.py.
WORDS = {
    "invalid_request": "Something in the request is wrong; the answer said what.",
    "invalid_prompt": "Something in the messages is wrong; the answer said what.",
    "invalid_image": "An image could not be read.",
    "unsupported_image_format": "An image is of a kind that is not accepted.",
    "context_length_exceeded": "The prompt is longer than the model can read.",
    "content_policy_violation": "The provider refused the content.",
    "authentication": "The API key was not valid.",
    "payment_required": "The credit granted is spent, or held by requests under way.",
    "permission_denied": "The key is over its limit, disabled or expired.",
    "not_found": "No model matched the request and its restrictions.",
    "timeout": "The provider, or the upload of the request, took too long.",
    "payload_too_large": "The request was larger than this server takes.",
    "rate_limit_exceeded": "Too many requests at once; sent a moment later, it may pass.",
    "provider_overloaded": "The provider had too much to do; sent a moment later, it may pass.",
    "provider_unavailable": "The provider failed or sent no usable answer.",
    "server": "This server could not take it just then; sent again, it may pass.",
    "client_left": "Your program hung up before the answer was complete.",
    "client_stalled": "Your program stopped reading the answer.",
    "interrupted": "This server stopped or lost its connections while it answered.",
}


@register.filter
def in_words(error_type: str) -> str:
    return WORDS.get(error_type, "")
