//! Uplinks and regions in one table: the median RTT as number and as shade.

use std::fmt::Write;

use super::{
    super::{SurveyReport, UplinkFigures},
    region_name,
    text::{escaped, ms, percent},
};

/// Shades, from the least RTT of the table to the greatest.
const SHADES: f64 = 5.0;

/// Writes the table.
pub(super) fn write(to: &mut String, report: &SurveyReport) -> std::fmt::Result {
    writeln!(
        to,
        "<section>\n<h2>Median RTT by uplink and region</h2>\n<table class=\"heat\">\n<thead><tr><th>Uplink</th>"
    )?;
    for region in &report.regions {
        writeln!(to, "<th scope=\"col\">{}</th>", escaped(region_name(region)))?;
    }
    writeln!(to, "</tr></thead>\n<tbody>")?;
    let medians =
        || report.regions.iter().flat_map(|region| &region.uplinks).filter_map(|figures| figures.rtt_median_ms);
    let range = (medians().fold(f64::INFINITY, f64::min), medians().fold(0.0, f64::max));
    for uplink in &report.uplinks {
        write!(to, "<tr><th scope=\"row\">{}</th>", escaped(uplink))?;
        for region in &report.regions {
            let figures = region.uplinks.iter().find(|figures| figures.uplink == *uplink);
            cell(to, figures, range)?;
        }
        writeln!(to, "</tr>")?;
    }
    writeln!(to, "</tbody>\n</table>\n<p>The darker the slower; loss in brackets.</p>\n</section>")
}

fn cell(to: &mut String, figures: Option<&UplinkFigures>, (low, high): (f64, f64)) -> std::fmt::Result {
    let median = figures.and_then(|figures| figures.rtt_median_ms);
    let loss = figures.and_then(|figures| figures.loss);
    let shade = median.map_or(0.0, |median| {
        let share = if high > low { (median - low) / (high - low) } else { 0.0 };
        (share * (SHADES - 1.0)).round() + 1.0
    });
    write!(to, "<td class=\"h{shade:.0}\">{} ({})</td>", ms(median), percent(loss))
}
