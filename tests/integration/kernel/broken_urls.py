"""The product's addresses, and two that hold a bug."""

from typing import Never

from django.http import HttpRequest
from django.urls import path
from rest_framework.request import Request
from rest_framework.views import APIView

from config import urls

handler404, handler500 = urls.handler404, urls.handler500


def page(request: HttpRequest) -> Never:
    raise RuntimeError("a bug with hunter2 in it")


class View(APIView):
    area = "events"

    def get(self, request: Request) -> Never:
        raise RuntimeError("a bug with hunter2 in it")


urlpatterns = [path("bug", page), path("api/v1/bug", View.as_view()), *urls.urlpatterns]
