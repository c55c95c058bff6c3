import { useAtomRefresh, useAtomValue } from "@effect/atom-react"
import { AsyncResult, Atom } from "effect/reactivity"
import { type KeyboardEvent, useDeferredValue, useEffect, useId, useMemo, useRef, useState } from "react"
import type { ClientsResponse } from "../../protocol/http/admin/AdminClients.ts"
import { AdminClient } from "../core/api.ts"
import { goTo, href } from "../core/navigation.ts"
import * as Palette from "../core/palette.ts"
import * as Route from "../core/route.ts"
import { liveAtom } from "../live/live.ts"

import { nameOf } from "./clientWords.tsx"

/** Limit for entries that are shown. */
const maxShown = 50

const emptyClients: ClientsResponse = { clients: [], message: "" }

const allClients = AdminClient.query("clients", "list", { query: {} })

/** Letters of a query before the clients are requested from all nsqds. */
const shortestForClients = 2

const noClients = Atom.make(AsyncResult.success(emptyClients))

/** Returns the entries of the clients; none before they are known. */
const useClients = (isWanted: boolean): ReadonlyArray<Palette.Entry> => {
  const { clients } = AsyncResult.getOrElse(useAtomValue(isWanted ? allClients : noClients), () => emptyClients)
  const refresh = useAtomRefresh(allClients)
  useEffect(() => {
    if (isWanted) refresh()
  }, [isWanted, refresh])
  return useMemo(
    () =>
      clients.map((client) =>
        Palette.entry("Client", nameOf(client), Route.client(client.node, client.remote_address))
      ),
    [clients]
  )
}

/** A dialog that goes to any page by a part of its name, with the keyboard only. */
export const CommandPalette = ({ onClose }: { readonly onClose: () => void }) => {
  const { daemons, topics } = useAtomValue(liveAtom)
  const [query, setQuery] = useState("")
  const clients = useClients(query.trim().length >= shortestForClients)
  const entries = useMemo(
    () => [...Palette.entriesOf(topics, daemons), ...clients],
    [topics, daemons, clients]
  )
  const [chosen, setChosen] = useState(0)
  const wanted = useDeferredValue(query)
  const shown = useMemo(() => Palette.search(entries, wanted, maxShown), [entries, wanted])
  const dialog = useRef<HTMLDialogElement>(null)
  const list = useRef<HTMLUListElement>(null)
  const id = useId()
  const active = Math.min(chosen, shown.length - 1)
  useEffect(() => dialog.current?.showModal(), [])
  useEffect(() => {
    list.current?.children[active]?.scrollIntoView({ block: "nearest" })
  }, [active, shown])
  const go = (entry: Palette.Entry | undefined) => {
    if (entry === undefined) return
    dialog.current?.close()
    goTo(entry.route)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[event.key]
    if (step !== undefined) setChosen(Math.max(0, Math.min(shown.length - 1, active + step)))
    // What is shown may be behind the keys.
    else if (event.key === "Enter") go((wanted === query ? shown : Palette.search(entries, query, maxShown))[active])
    else return
    event.preventDefault()
  }
  return (
    <dialog
      ref={dialog}
      className="palette"
      aria-label="Go to a page"
      onClose={onClose}
      onClick={({ target }) => target === dialog.current && dialog.current.close()}
    >
      <input
        type="text"
        role="combobox"
        aria-label="Name of a topic, channel, node, client or page"
        aria-expanded={shown.length > 0}
        aria-controls={id}
        aria-autocomplete="list"
        aria-activedescendant={shown.length === 0 ? undefined : `${id}-${active}`}
        placeholder="Topic, channel, node, client or page"
        autoComplete="off"
        spellCheck={false}
        value={query}
        onChange={({ target }) => {
          setQuery(target.value)
          setChosen(0)
        }}
        onKeyDown={onKeyDown}
      />
      <ul ref={list} id={id} role="listbox" aria-label="Pages">
        {shown.map((entry, i) => (
          <li
            key={`${entry.kind} ${href(entry.route)}`}
            id={`${id}-${i}`}
            role="option"
            aria-selected={i === active}
            onMouseMove={() => setChosen(i)}
            onClick={() => go(entry)}
          >
            <span className="text">{entry.name}</span>
            <span className="kind">{entry.kind}</span>
          </li>
        ))}
      </ul>
      <p role="status" className={shown.length === 0 ? "empty" : "hidden"}>
        {shown.length === 0 ? "Nothing has a name like this." : `${shown.length} results`}
      </p>
    </dialog>
  )
}
