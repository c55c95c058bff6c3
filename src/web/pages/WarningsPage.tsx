import { useAtomValue } from "@effect/atom-react"
import { Notice } from "../components/Notice.tsx"
import { Section } from "../components/Section.tsx"
import { Waiting } from "../components/Waiting.tsx"
import * as Format from "../core/format.ts"
import { liveAtom } from "../live/live.ts"
import { WarningList } from "../warnings/WarningList.tsx"
import * as Words from "../warnings/words.ts"

/** The page of the warnings: serious ones first, muted ones apart. */
export const WarningsPage = () => {
  const { at, warnings } = useAtomValue(liveAtom)
  const shown = warnings.filter((warning) => !Words.isMuted(warning)).toSorted(Words.bySeverity)
  const muted = warnings.filter(Words.isMuted)
  return (
    <>
      <h1>Warnings</h1>
      {at === 0
        ? <Waiting />
        : shown.length === 0
        ? <Notice kind="success">{muted.length === 0 ? "No warnings." : "No warnings that are not muted."}</Notice>
        : <WarningList warnings={shown} now={at} />}
      {muted.length > 0 && (
        <Section summary={`Muted: ${Format.quantity(muted.length, "warning")}`}>
          <WarningList warnings={muted} now={at} />
        </Section>
      )}
    </>
  )
}
