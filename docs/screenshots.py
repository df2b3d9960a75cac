"""Take the pictures of a comparison's page that the README and the docs show.

python docs/screenshots.py runs/demo/comparison.html docs/comparison.png
"""

import argparse
import shutil
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

WIDTH, HEIGHT = 1280, 900  # a laptop's screen
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def main() -> None:
    """Take the picture that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("page", type=Path, help="as vae-zoo compare has written it")
    parser.add_argument("picture", type=Path, help="the PNG to write")
    parser.add_argument("--part", help="heading of the one part to take (default: the top)")
    parser.add_argument("--height", type=int, default=HEIGHT, help="of the top, in pixels")
    parser.add_argument("--dark", action="store_true", help="as a dark desktop shows it")
    arguments = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        parser.error("there is no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(
            viewport={"width": WIDTH, "height": arguments.height},
            color_scheme="dark" if arguments.dark else "light",
        )
        page.goto(arguments.page.resolve().as_uri())
        take(page, arguments.picture, arguments.part)
        browser.close()


def take(page: Page, picture: Path, part: str | None) -> None:
    """Take the top of a page, or what stands in a box under a heading."""
    if part is None:
        page.screenshot(path=picture)
        return
    heading = page.get_by_role("heading", name=part, exact=True).first
    heading.locator("xpath=ancestor::*[self::figure or self::div][1]").screenshot(path=picture)


if __name__ == "__main__":
    main()
