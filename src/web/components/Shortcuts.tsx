import { useEffect, useId, useRef, useState } from "react"
import { goTo } from "../core/navigation.ts"
import * as Route from "../core/route.ts"
import { CommandPalette } from "./Palette.tsx"

/** The pages that `g` and a letter go to. */
const pages: ReadonlyArray<readonly [letter: string, route: Route.Route]> = [
  ["t", Route.topics],
  ["w", Route.warnings],
  ["n", Route.nodes],
  ["d", Route.daemons],
  ["l", Route.lookup],
  ["c", Route.counter]
]

const isApple = /Mac|iPhone|iPad/.test(navigator.userAgent)

/** Whether keys are for an input and not for the page. A dialog keeps the focus for a moment after it was closed. */
const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && target.closest("input, textarea, select, [contenteditable]") !== null &&
  target.closest("dialog:not([open])") === null

const Help = ({ onClose }: { readonly onClose: () => void }) => {
  const dialog = useRef<HTMLDialogElement>(null)
  const title = useId()
  useEffect(() => dialog.current?.showModal(), [])
  const keys: ReadonlyArray<readonly [keys: ReadonlyArray<string>, meaning: string]> = [
    [[isApple ? "⌘" : "Ctrl", "K"], "Go to a topic, channel, node, client or page"],
    [["/"], "The same"],
    ...pages.map(([letter, route]) => [["g", letter], `Go to ${Route.title(route)}`] as const),
    [["?"], "Show these shortcuts"],
    [["Esc"], "Close a dialog"]
  ]
  return (
    <dialog ref={dialog} onClose={onClose} aria-labelledby={title}>
      <h2 id={title}>Keyboard shortcuts</h2>
      <dl className="shortcuts">
        {keys.map(([combination, meaning]) => (
          <div key={combination.join()}>
            <dt>{combination.map((key) => <kbd key={key}>{key}</kbd>)}</dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
      <div className="buttons">
        <button type="button" onClick={() => dialog.current?.close()}>Close</button>
      </div>
    </dialog>
  )
}

/** The open dialog. Each time that one is opened has a number of its own. */
interface Opened {
  readonly dialog: "palette" | "help"
  readonly number: number
}

/** The keyboard shortcuts of all pages, and a button for those without a keyboard. */
export const Shortcuts = () => {
  const [open, setOpen] = useState<Opened>()
  const last = useRef("")
  const show = (dialog: Opened["dialog"]) => setOpen((now) => ({ dialog, number: (now?.number ?? 0) + 1 }))
  // The event of a closed dialog may follow the key that opens the next one.
  const close = (closed: Opened) => setOpen((now) => now?.number === closed.number ? undefined : now)
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (document.querySelector("dialog[open]") !== null) return
      const isCommand = event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.altKey
      const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey && !isTyping(event.target)
      const before = last.current
      last.current = isPlain ? event.key : ""
      if (isCommand || (isPlain && event.key === "/")) show("palette")
      else if (isPlain && event.key === "?") show("help")
      else {
        const route = isPlain && before === "g" ? pages.find(([letter]) => letter === event.key)?.[1] : undefined
        if (route === undefined) return
        goTo(route)
      }
      event.preventDefault()
    }
    addEventListener("keydown", onKey)
    return () => removeEventListener("keydown", onKey)
  }, [])
  return (
    <>
      <button
        type="button"
        className="search"
        aria-keyshortcuts="Control+K Meta+K /"
        onClick={() => show("palette")}
      >
        <svg
          width="16"
          height="16"
          viewBox="0 0 16 16"
          fill="none"
          stroke="currentColor"
          strokeWidth="1.5"
          aria-hidden="true"
        >
          <circle cx="7" cy="7" r="4.5" />
          <path d="m10.5 10.5 4 4" />
        </svg>
        Go to <kbd aria-hidden="true">{isApple ? "⌘K" : "Ctrl K"}</kbd>
      </button>
      {open?.dialog === "palette" && <CommandPalette key={open.number} onClose={() => close(open)} />}
      {open?.dialog === "help" && <Help key={open.number} onClose={() => close(open)} />}
    </>
  )
}
