import { useAtom, useAtomValue } from "@effect/atom-react"
import { useEffect, useRef } from "react"
import { routeAtom } from "../core/navigation.ts"
import { outcomeAtom } from "../core/outcome.ts"
import { Notice } from "./Notice.tsx"

/**
 * What came of the last action, at the lower edge of the window, until it is dismissed, something else is done, or the page
 * is left on which it was shown.
 */
export const OutcomeBox = () => {
  const route = useAtomValue(routeAtom)
  const [outcome, setOutcome] = useAtom(outcomeAtom)
  const box = useRef<HTMLDivElement>(null)
  const shownOn = useRef(route)
  useEffect(() => {
    if (outcome === undefined) return
    shownOn.current = route
    // What was acted upon may be gone, and with it the button that had the keyboard.
    if (document.activeElement === document.body) box.current?.focus()
    // Only an outcome makes this its page.
  }, [outcome])
  useEffect(() => {
    if (shownOn.current !== route) setOutcome(undefined)
  }, [route, setOutcome])
  return (
    <div ref={box} className="outcome" tabIndex={-1} aria-live="polite">
      {outcome !== undefined && (
        <Notice kind={outcome.kind}>
          {outcome.text} <button type="button" onClick={() => setOutcome(undefined)}>Dismiss</button>
        </Notice>
      )}
    </div>
  )
}
