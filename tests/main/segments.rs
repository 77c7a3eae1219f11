use api_patterns::Segment;

use crate::support::fixture;

#[test]
fn the_table_of_segments_holds() {
    let table = std::fs::read_to_string(fixture("segments.md")).unwrap();
    let mut count = 0;
    for line in
        table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| segment "))
    {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let segment = Segment::parse(cells[0].as_bytes());
        assert_eq!(segment.kind.name(), cells[1], "{}", cells[0]);
        assert_eq!(String::from_utf8_lossy(segment.suffix), cells[2], "{}", cells[0]);
        count += 1;
    }
    assert!(count > 50, "{count}");
}
