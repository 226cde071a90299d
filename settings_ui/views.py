"""The settings pages: plugins, the Auto Router's defaults, API keys."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from activity import paging
from activity.dial import WORDS
from routing.credentials import MAX_KEYS, TooManyKeysError, check_room, create_key
from routing.engine.patterns import normalise
from routing.models import ApiKey, AutoRouterSettings
from settings_ui import auto_router, one_time
from settings_ui.forms import ApiKeyForm, AutoRouterForm
from settings_ui.keys import with_use
from settings_ui.signed_in import signed_in

# Where the navigation stands.
PLUGINS = {"section": "settings", "page": "plugins"}
KEYS = {"section": "settings", "page": "keys"}

SENT_BEFORE = (
    "That form was sent before, so no second key was made. If you have not copied the key that it "
    "made, delete that one and create another."
)

page = require_http_methods(["GET", "HEAD", "POST"])


@signed_in
@require_safe
def plugins(request: HttpRequest) -> HttpResponse:
    row = auto_router.load(request.user)
    words = WORDS[row.cost_quality_tradeoff]
    return render(request, "settings_ui/plugins.html", {**PLUGINS, "row": row, "words": words})


@signed_in
@page
def auto_router_settings(request: HttpRequest) -> HttpResponse:
    row = auto_router.load(request.user)
    if request.method != "POST":
        initial = {name: getattr(row, name) for name in AutoRouterForm.base_fields}
        form = AutoRouterForm(initial=initial)
        return _auto_router_page(request, row, form, auto_router.version(row))
    form = AutoRouterForm(request.POST)
    seen = request.POST.get("version", "")
    if "preview" in request.POST or not form.is_valid():
        return _auto_router_page(request, row, form, seen)
    if not auto_router.save(request.user, seen, form.cleaned_data):
        row = auto_router.load(request.user)
        return _auto_router_page(request, row, form, auto_router.version(row), conflict=True)
    messages.success(request, "Saved. The next request follows these settings.")
    return redirect("auto-router")


def _auto_router_page(
    request: HttpRequest,
    row: AutoRouterSettings,
    form: AutoRouterForm,
    version: str,
    *,
    conflict: bool = False,
) -> HttpResponse:
    words = {str(value): text for value, text in enumerate(WORDS)}
    texts = (form[name].value() or "" for name in ("allowed_models", "excluded_models"))
    context = {
        **PLUGINS,
        "row": row,
        "form": form,
        "version": version,
        "conflict": conflict,
        "words": words.items(),
        "words_now": words.get(str(form["cost_quality_tradeoff"].value()), ""),
        "preview": auto_router.preview(*map(normalise, texts)),
    }
    status = 409 if conflict else 200
    return render(request, "settings_ui/auto_router.html", context, status=status)


@require_POST
def auto_router_preview(request: HttpRequest) -> HttpResponse:
    if not request.user.is_authenticated:
        # A redirect would put the sign-in form into the preview.
        return render(request, "settings_ui/_preview_signed_out.html", status=401)
    texts = (request.POST.get(name, "") for name in ("allowed_models", "excluded_models"))
    preview = auto_router.preview(*map(normalise, texts))
    return render(request, "settings_ui/_preview_live.html", {"preview": preview})


@signed_in
@require_safe
def keys(request: HttpRequest) -> HttpResponse:
    page = paging.page_of(request, ApiKey.objects.owned_by(request.user))
    if request.GET and not page.rows:
        # Past the oldest, such as after the keys of the last page were deleted.
        return redirect("keys")
    context = {
        **KEYS,
        "uses": with_use(page.rows),
        "most": MAX_KEYS,
        "newer": page.newer and f"after={page.newer}",
        "older": page.older and f"before={page.older}",
    }
    return render(request, "settings_ui/keys.html", context)


@signed_in
@page
def new_key(request: HttpRequest) -> HttpResponse:
    form = ApiKeyForm(request.POST or None)
    try:
        check_room(request.user)
        if request.method == "POST" and form.is_valid():
            return _created_key(request, form)
    except TooManyKeysError as error:
        if request.method != "POST":
            # There is nothing to fill in; the way out is in the list.
            messages.error(request, str(error))
            return redirect("keys")
        form.add_error(None, str(error))
    context = {**KEYS, "form": form, "form_token": one_time.issue(request.session)}
    return render(request, "settings_ui/key_form.html", context)


def _created_key(request: HttpRequest, form: ApiKeyForm) -> HttpResponse:
    """The only page that ever shows the key: it is in no URL, message or session."""
    if not one_time.redeem(request.session, request.POST.get("form_token", "")):
        messages.error(request, SENT_BEFORE)
        return redirect("keys")
    key, secret = create_key(request.user, **form.values())
    context = {
        **KEYS,
        "key": key,
        "secret": secret,
        "api_url": request.build_absolute_uri("/api/v1"),
    }
    return render(request, "settings_ui/key_created.html", context)


@signed_in
@page
def edit_key(request: HttpRequest, key_id: int) -> HttpResponse:
    key = _own_key(request, key_id)
    form = ApiKeyForm(request.POST or None, instance=key)
    if request.method == "POST" and form.is_valid():
        _change(request, key_id, **form.values())
        messages.success(request, "The key is saved.")
        return redirect("keys")
    return render(request, "settings_ui/key_form.html", {**KEYS, "form": form, "key": key})


@signed_in
@page
def switch_key(request: HttpRequest, key_id: int, *, disabled: bool) -> HttpResponse:
    """Change on POST; any other way here, such as signing in again, only leads to the list."""
    key = _own_key(request, key_id)
    if request.method == "POST":
        _change(request, key_id, disabled=disabled)
        state = "disabled: requests with it are refused" if disabled else "enabled"
        messages.success(request, f"{key.name} is {state}.")
    return redirect("keys")


@signed_in
@page
def delete_key(request: HttpRequest, key_id: int) -> HttpResponse:
    key = _own_key(request, key_id)
    if request.method == "POST":
        key.delete()
        messages.success(request, f"{key.name} is deleted. Its requests stay in Activity.")
        return redirect("keys")
    return render(request, "settings_ui/key_delete.html", {**KEYS, "key": key})


def _own_key(request: HttpRequest, key_id: int) -> ApiKey:
    return get_object_or_404(ApiKey.objects.owned_by(request.user), pk=key_id)


def _change(request: HttpRequest, key_id: int, **columns: object) -> None:
    own = ApiKey.objects.owned_by(request.user).filter(pk=key_id)
    own.update(**columns, updated_at=timezone.now())
