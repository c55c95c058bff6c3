import { useAtom, useAtomValue } from "@effect/atom-react"
import { useEffect, useRef } from "react"
import { routeAtom } from "../core/navigation.ts"
import { outcomeAtom } from "../core/outcome.ts"
import { Notice, Raw } from "./Notice.tsx"

/**
 * The outcome of the last action, at the bottom of the window. It disappears when it is dismissed, another action starts, or
 * the page changes.
 */
export const OutcomeBox = () => {
  const route = useAtomValue(routeAtom)
  const [outcome, setOutcome] = useAtom(outcomeAtom)
  const box = useRef<HTMLDivElement>(null)
  const shownOn = useRef(route)
  useEffect(() => {
    if (outcome === undefined) return
    shownOn.current = route
    // The action may have removed the button that had the focus.
    if (document.activeElement === document.body) box.current?.focus()
    // Depends on the outcome only: a change of page must not make the new page the one that shows it.
  }, [outcome])
  useEffect(() => {
    if (shownOn.current !== route) setOutcome(undefined)
  }, [route, setOutcome])
  return (
    <div ref={box} className="outcome" tabIndex={-1} aria-live="polite">
      {outcome !== undefined && (
        <Notice kind={outcome.kind}>
          {outcome.text} <button type="button" onClick={() => setOutcome(undefined)}>Dismiss</button>
          {outcome.raw !== undefined && <Raw text={outcome.raw} />}
        </Notice>
      )}
    </div>
  )
}
