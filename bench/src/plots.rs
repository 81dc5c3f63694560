//! Pictures of how cost grows, as SVG: one line for each database, over a logarithmic axis.

use crate::Fallible;
use crate::growth::Growth;
use plotters::prelude::*;
use std::path::Path;

/// The size of a picture, in its own units.
const SIZE: (u32, u32) = (720, 400);

/// A cost at some sizes of the store.
struct Curve {
    name: &'static str,
    points: Vec<(f64, f64)>,
}

/// One picture: its file, its title, and what stands on its upright axis.
struct Picture {
    file: &'static str,
    title: &'static str,
    unit: &'static str,
    curves: Vec<Curve>,
}

/// Draws all into a folder; answers the names of the files with what they show.
pub fn draw(folder: &Path, growth: &[Growth]) -> Fallible<Vec<(&'static str, &'static str)>> {
    std::fs::create_dir_all(folder)?;
    let mut drawn = Vec::new();
    for picture in pictures(growth) {
        let is_measured = !picture.curves.is_empty() && picture.curves.iter().all(|curve| curve.points.len() > 1);
        if is_measured {
            picture.draw(folder)?;
            drawn.push((picture.file, picture.title));
        }
    }
    Ok(drawn)
}

fn pictures(growth: &[Growth]) -> Vec<Picture> {
    let curves = |points: &dyn Fn(&Growth) -> Vec<(f64, f64)>| -> Vec<Curve> {
        growth.iter().map(|growth| Curve { name: growth.database, points: points(growth) }).collect()
    };
    let pulls = |cost: fn(&crate::pulls::Pulled) -> f64| {
        curves(&|growth| growth.pulls.iter().map(|pulled| (pulled.records as f64, cost(pulled))).collect())
    };
    vec![
        Picture {
            file: "push.svg",
            title: "A submission in a batch of 50, by records in the store",
            unit: "µs of processor time, server and database",
            curves: curves(&|growth| {
                growth.points.iter().map(|point| (point.records as f64, point.measure.median().cost())).collect()
            }),
        },
        Picture {
            file: "pull.svg",
            title: "A pull of 100 changes in 33 scopes, by records in the store",
            unit: "ms, p50",
            curves: pulls(|pulled| pulled.changes.0),
        },
        Picture {
            file: "pull-nothing.svg",
            title: "A pull of nothing new, by records in the store",
            unit: "ms, p50",
            curves: pulls(|pulled| pulled.nothing.0),
        },
        Picture {
            file: "bootstrap.svg",
            title: "Everything of a province of 2,113 scopes, by records in the store",
            unit: "ms for 1,000 messages",
            curves: pulls(|pulled| pulled.whole.1 / pulled.whole.0.max(1) as f64 * 1e3),
        },
    ]
}

impl Picture {
    fn draw(&self, folder: &Path) -> Fallible<()> {
        let path = folder.join(self.file);
        let root = SVGBackend::new(&path, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let all = || self.curves.iter().flat_map(|curve| curve.points.iter().copied());
        let (first, last) = all().fold((f64::MAX, 1.0_f64), |(low, high), (x, _)| (low.min(x), high.max(x)));
        let highest = all().fold(0.0_f64, |high, (_, y)| high.max(y));
        let mut chart = ChartBuilder::on(&root)
            .caption(self.title, ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d((first..last).log_scale(), 0.0..highest * 1.2)?;
        let grouped = |records: &f64| format!("{records:.0}");
        chart
            .configure_mesh()
            .x_desc("records")
            .y_desc(self.unit)
            .x_label_formatter(&grouped)
            .light_line_style(TRANSPARENT)
            .draw()?;
        for (n, curve) in self.curves.iter().enumerate() {
            let colour = Palette99::pick(n).to_rgba();
            let line = LineSeries::new(curve.points.iter().copied(), colour.stroke_width(2)).point_size(4);
            chart
                .draw_series(line)?
                .label(curve.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        }
        chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK).draw()?;
        Ok(root.present()?)
    }
}
