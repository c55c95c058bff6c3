/** Parameters of the page's address, such as a filter, so that links and reloads keep them. */
import { useState } from "react"

/** Returns a parameter of the address; empty if it is missing. */
export const get = (name: string): string => new URLSearchParams(location.search).get(name) ?? ""

/** Sets a parameter of the address, without a new entry in the browser's history; an empty value removes it. */
export const set = (name: string, value: string): void => {
  const url = new URL(location.href)
  if (value === "") url.searchParams.delete(name)
  else url.searchParams.set(name, value)
  history.replaceState(history.state, "", url)
}

/** A state that the address of the page has as a parameter. `initial` is omitted from the address. */
export const useSearch = (name: string, initial = ""): readonly [string, (value: string) => void] => {
  const [value, setValue] = useState(() => get(name) || initial)
  return [value, (next) => {
    setValue(next)
    set(name, next === initial ? "" : next)
  }]
}
