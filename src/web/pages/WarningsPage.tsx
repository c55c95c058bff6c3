import { useAtomValue } from "@effect/atom-react"
import { Fragment } from "react"
import { Actions } from "../components/Actions.tsx"
import { Notice } from "../components/Notice.tsx"
import { Section } from "../components/Section.tsx"
import { Waiting } from "../components/Waiting.tsx"
import { useTestAlert } from "../core/act.ts"
import * as Format from "../core/format.ts"
import { settings } from "../core/settings.ts"
import { liveAtom } from "../live/live.ts"
import { WarningList } from "../warnings/WarningList.tsx"
import * as Words from "../warnings/words.ts"

/** Where alerts go, and a button to test that. */
const AlertSection = () => {
  const test = useTestAlert()
  const action = {
    key: "test",
    label: "Send a test alert",
    run: () => test({}),
    done: "A test alert has been sent."
  }
  const { alertWebhooks } = settings
  return (
    <section className="panel alerts">
      <h2>Alerts</h2>
      {alertWebhooks.length === 0
        ? (
          <p>
            Warnings are shown here only. With <code>--alert-webhook=URL</code>{" "}
            nsqadmin also reports when they begin and end.
          </p>
        )
        : (
          <>
            <p>
              nsqadmin reports when a warning begins and when it ends to{" "}
              {alertWebhooks.map((name, i) => (
                <Fragment key={i}>
                  {i > 0 && ", "}
                  <code>{name}</code>
                </Fragment>
              ))}. Muted warnings are not reported.
            </p>
            <Actions label="Alerts" actions={[action]} />
          </>
        )}
    </section>
  )
}

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
      <AlertSection />
      {muted.length > 0 && (
        <Section summary={`Muted: ${Format.quantity(muted.length, "warning")}`}>
          <WarningList warnings={muted} now={at} />
        </Section>
      )}
    </>
  )
}
