//! Lists of which there are thousands, most of them with an item or two.

/// Makes room for one more item, and for half as many again as there are: a list that grows by itself begins with
/// room for four, which of thousands of lists with one item is mostly room.
pub(crate) fn make_room<T>(list: &mut Vec<T>) {
    if list.len() == list.capacity() {
        list.reserve_exact((list.len() / 2).max(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_with_one_item_has_room_for_one_and_a_long_one_grows_in_few_steps() {
        let (mut list, mut steps) = (Vec::new(), 0);
        for item in 0..1_000 {
            let before = list.capacity();
            make_room(&mut list);
            list.push(item);
            steps += usize::from(list.capacity() != before);
            assert!(item > 0 || list.capacity() == 1);
        }
        assert!(steps < 20, "{steps} steps");
        assert!(list.capacity() < 1_500, "{} for 1,000", list.capacity());
    }
}
