// The address's fragment: the id of a place on the page and, behind a "?", how that place is set, for example
// "#fig-santurkar-fig1-a?y=log" or "#claims?verdict=supported". So an address that is sent shows the same there.

export interface Address {
  place: string;
  settings: URLSearchParams;
}

export function readAddress(): Address {
  const [place = "", settings = ""] = location.hash.slice(1).split("?");
  try {
    return { place: decodeURIComponent(place), settings: new URLSearchParams(settings) };
  } catch {
    return { place, settings: new URLSearchParams(settings) };
  }
}

export function fragment(place: string, settings = new URLSearchParams()): string {
  const text = settings.toString();
  return `#${place}${text === "" ? "" : `?${text}`}`;
}

/** The whole address, to be sent to somebody. */
export function fullAddress(place: string, settings?: URLSearchParams): string {
  return location.href.split("#")[0] + fragment(place, settings);
}

/** Shows in the address how a place is set, without leaving a trail in the browser's history. */
export function showInAddress(place: string, settings: URLSearchParams): void {
  history.replaceState(history.state, "", fragment(place, settings));
}

/** Calls `follow` with the address when it changes. */
export function onAddress(follow: (address: Address) => void): void {
  window.addEventListener("hashchange", () => follow(readAddress()));
}

/** Opens every fold around an element and brings it into view. */
export function bringIntoView(element: Element): void {
  for (let fold = element.closest("details"); fold; fold = fold.parentElement?.closest("details") ?? null) {
    fold.open = true;
  }
  element.scrollIntoView();
}
